"""A server that takes requests and never answers them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from pymilvus.grpc_gen.common_pb2 import ServerInfo, Status
from pymilvus.grpc_gen.milvus_pb2 import ConnectRequest, ConnectResponse, ShowCollectionsRequest
from pymilvus.grpc_gen.milvus_pb2_grpc import MilvusServiceServicer, add_MilvusServiceServicer_to_server

from tuku.config import MilvusConfig
from tuku.milvus import collection
from tuku.milvus.calls import MilvusAwayError
from tuku.milvus.connect import connected


class Stuck(MilvusServiceServicer):
    def __init__(self) -> None:
        self.ended = threading.Event()

    def Connect(self, request: ConnectRequest, context: grpc.ServicerContext) -> ConnectResponse:  # noqa: N802
        return ConnectResponse(status=Status(), server_info=ServerInfo(build_tags="v2.5.0"))

    def ShowCollections(self, request: ShowCollectionsRequest, context: grpc.ServicerContext) -> None:  # noqa: N802
        self.ended.wait(60)


@pytest.fixture
def stuck() -> Iterator[str]:
    server, servicer = grpc.server(ThreadPoolExecutor(4)), Stuck()
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
