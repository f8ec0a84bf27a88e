"""A real S3 server on this machine, for as long as a block lasts: SeaweedFS, which keeps conditions on writes."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyarrow.fs import S3FileSystem

from ports import free_ports
from support import environment

BUCKET = "bucket"
_WEED = Path(sys.executable).with_name("weed")
_KEY, _SECRET = "tuku-test", "tuku-secret-of-the-test"
_READER, _READER_SECRET = "tuku-reader", "tuku-secret-of-the-reader"
_ACTIONS = ["Admin", "Read", "Write", "List", "Tagging"]
_GRPC = 10_000  # added to each port by the server


@dataclass(frozen=True)
class S3Server:
    """A running server with one bucket.

    Attributes:
        endpoint: its address.
        environment: what a process needs to use it.
    """

    endpoint: str
    environment: dict[str, str]

    @contextmanager
    def used(self) -> Iterator[None]:
        """Let this process use it as well."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            yield

    @property
    def reader(self) -> dict[str, str]:
        """What makes a process somebody who may only read, and only in this bucket."""
        return {"AWS_ACCESS_KEY_ID": _READER, "AWS_SECRET_ACCESS_KEY": _READER_SECRET}

    def files(self) -> S3FileSystem:
        """Another client than tuku's own, to put things there and look at them."""
        return _files(self.endpoint)

    def uri(self, prefix: str) -> str:
        """Of what begins so in the bucket."""
        return f"s3://{BUCKET}/{prefix}"


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Start a server that keeps everything in a folder, and end it."""
    folder.mkdir(parents=True)
    identities = [
        {"name": "test", "credentials": [{"accessKey": _KEY, "secretKey": _SECRET}], "actions": _ACTIONS},
        {
            "name": "reader",
            "credentials": [{"accessKey": _READER, "secretKey": _READER_SECRET}],
            "actions": [f"Read:{BUCKET}", f"List:{BUCKET}"],
        },
    ]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    master, volume, filer, s3 = free_ports(4, also_at=_GRPC)
    command = [
        str(_WEED), "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", f"-s3.port={s3}",
        f"-s3.config={folder / 's3.json'}", f"-master.port={master}", f"-volume.port={volume}",
        f"-filer.port={filer}", "-master.volumeSizeLimitMB=64", "-volume.max=20",
        "-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
    ]  # fmt: skip
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment(), stdout=log, stderr=log)
    endpoint = f"http://127.0.0.1:{s3}"
    variables = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": _KEY,
        "AWS_SECRET_ACCESS_KEY": _SECRET,
        "AWS_REGION": "us-east-1",
    }
    try:
        _make_bucket(f"127.0.0.1:{s3}", process)
        yield S3Server(endpoint, variables)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _files(endpoint: str) -> S3FileSystem:
    return S3FileSystem(
        endpoint_override=endpoint.removeprefix("http://"), scheme="http", access_key=_KEY, secret_key=_SECRET,
        region="us-east-1", allow_bucket_creation=True, connect_timeout=2, request_timeout=5,
    )  # fmt: skip


def _make_bucket(endpoint: str, process: subprocess.Popen[bytes]) -> None:
    files = _files(f"http://{endpoint}")
    deadline = time.monotonic() + 60
    while True:
        try:
            files.create_dir(BUCKET)
            with files.open_output_stream(f"{BUCKET}/ready") as stream:
                stream.write(b"yes")
            files.delete_file(f"{BUCKET}/ready")
        except OSError:
            assert process.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, "the server does not come up"
            time.sleep(0.3)
        else:
            return
