"""jobs/ingest.py through `ray job submit`, on a head node started with `ray start --head`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support import environment

pytestmark = [pytest.mark.ray, pytest.mark.milvus, pytest.mark.timeout(240)]
_JOB = Path(__file__).parents[2] / "jobs" / "ingest.py"
_RAY = Path(sys.executable).with_name("ray")


@pytest.fixture
def head(tmp_path: Path) -> Iterator[str]:
    """Address of the job server of a Ray head node that is this test's own."""
    gcs, dashboard, agent, http_agent, client = _free_ports(5)
    log = (tmp_path / "head.log").open("w")
    process = subprocess.Popen(
        [
            _RAY, "start", "--head", "--block", "--num-cpus=2", "--node-ip-address=127.0.0.1", f"--port={gcs}",
            "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}", "--include-dashboard=true",
            f"--dashboard-agent-grpc-port={agent}", f"--dashboard-agent-listen-port={http_agent}",
            f"--ray-client-server-port={client}", "--object-store-memory=200000000", "--disable-usage-stats",
        ],
        env=environment({"RAY_AUTH_MODE": "disabled"}), stdout=log, stderr=log, start_new_session=True,
    )  # fmt: skip
    address = f"http://127.0.0.1:{dashboard}"
    try:
        _wait_until_up(address, process)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        log.close()


def test_the_job_runs_on_a_standing_cluster(head, tuku, catalogue):
    arguments = ["ingest", str(catalogue), "--json"]
    entrypoint = [sys.executable, str(_JOB), *tuku.command(*arguments)[4:]]
    submitted = subprocess.run(
        [_RAY, "job", "submit", "--address", head, "--", *entrypoint],
        env=environment({"RAY_AUTH_MODE": "disabled"}), capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    report = json.loads(next(tuku.lake.glob("runs/*/report.json")).read_text(encoding="utf-8"))
    assert report["status"] == "ok"
    assert report["rows"]["ok"] == report["rows"]["manifest"] > 0
    assert report["verify"]["passed"]


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _wait_until_up(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "ray start ended"
        try:
            with urllib.request.urlopen(f"{address}/api/version", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError("the job server did not come up")
