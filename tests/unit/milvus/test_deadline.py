"""A server that takes requests and never answers them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pyarrow as pa
import pytest
from pymilvus.grpc_gen.common_pb2 import ServerInfo, Status
from pymilvus.grpc_gen.milvus_pb2 import ConnectRequest, ConnectResponse, DeleteRequest, ShowCollectionsRequest
from pymilvus.grpc_gen.milvus_pb2_grpc import MilvusServiceServicer, add_MilvusServiceServicer_to_server

from tuku.config import MilvusConfig
from tuku.errors import InterruptedRunError
from tuku.milvus import collection, load
from tuku.milvus.calls import MilvusAwayError
from tuku.milvus.connect import connected
from tuku.runtime.interrupt import interruptible


class Stuck(MilvusServiceServicer):
    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.ended = threading.Event()

    def Connect(self, request: ConnectRequest, context: grpc.ServicerContext) -> ConnectResponse:  # noqa: N802
        return ConnectResponse(status=Status(), server_info=ServerInfo(build_tags="v2.5.0"))

    def ShowCollections(self, request: ShowCollectionsRequest, context: grpc.ServicerContext) -> None:  # noqa: N802
        self.ended.wait(60)

    def Delete(self, request: DeleteRequest, context: grpc.ServicerContext) -> None:  # noqa: N802
        self.asked.release()
        self.ended.wait(60)


@pytest.fixture
def servicer() -> Stuck:
    return Stuck()


@pytest.fixture
def stuck(servicer: Stuck) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(4))
    add_MilvusServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}"
    servicer.ended.set()
    server.stop(None).wait()


def test_a_request_that_nobody_answers_ends_at_the_deadline(stuck: str) -> None:
    with connected(MilvusConfig(uri=stuck, timeout_s=4.0)) as client:
        started = time.monotonic()
        with pytest.raises(MilvusAwayError, match=r"while listing collections: Deadline Exceeded"):
            collection.exists(client, "tuku")
    assert time.monotonic() - started < 20


def test_a_load_that_is_interrupted_does_not_wait_for_a_server_that_hangs(
    stuck: str, servicer: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "GRACE_S", 0.5)

    def interrupt() -> None:
        for _ in range(2):
            assert servicer.asked.acquire(timeout=20)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    ids = iter([pa.array(["a"]), pa.array(["b"]), pa.array(["c"])])
    started = time.monotonic()
    with (
        pytest.raises(InterruptedRunError, match="SIGINT"),
        interruptible(),
        connected(MilvusConfig(uri=stuck)) as client,
    ):
        load.delete(client, "tuku", ids, parallel=2)
    while any(thread.name.startswith("tuku-milvus") for thread in threading.enumerate()):
        assert time.monotonic() - started < 15  # Python ends when the last of them has
        time.sleep(0.05)
    assert not servicer.asked.acquire(timeout=1)  # the third was not begun, nor the others tried again
