"""A Ray cluster of a test's own, with its dashboard and job server: a head node as `ray start` makes it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ports import free_ports
from support import environment

RAY = Path(sys.executable).with_name("ray")


@dataclass(frozen=True)
class Head:
    """A running head node.

    Attributes:
        address: what programs join, `runtime.address`.
        dashboard: URL of the dashboard, which is the job server's too.
    """

    address: str
    dashboard: str


@contextmanager
def ray_head(log: Path, env: Mapping[str, str] | None = None, temp_dir: Path | None = None) -> Iterator[Head]:
    """Start a head node, and end it with all its processes.

    Args:
        log: what it prints goes there.
        env: for all its processes, on top of this one's.
        temp_dir: where Ray keeps its session; its path must be short, for sockets lie in there.
    """
    gcs, dashboard, agent, http_agent, client = free_ports(5)
    command: list[str | Path] = [
        RAY, "start", "--head", "--block", "--num-cpus=2", "--node-ip-address=127.0.0.1", f"--port={gcs}",
        "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}", "--include-dashboard=true",
        f"--dashboard-agent-grpc-port={agent}", f"--dashboard-agent-listen-port={http_agent}",
        f"--ray-client-server-port={client}", "--object-store-memory=200000000", "--disable-usage-stats",
        *([] if temp_dir is None else [f"--temp-dir={temp_dir}"]),
    ]  # fmt: skip
    variables = environment({"RAY_AUTH_MODE": "disabled", **(env or {})})
    with log.open("w") as file:
        process = subprocess.Popen(command, env=variables, stdout=file, stderr=file, start_new_session=True)
    head = Head(f"127.0.0.1:{gcs}", f"http://127.0.0.1:{dashboard}")
    try:
        _wait_until_up(head.dashboard, process)
        yield head
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_up(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "ray start ended"
        try:
            with urllib.request.urlopen(f"{address}/api/version", timeout=2):
                return
        except urllib.error.HTTPError:
            return  # it is up, and asks for a token
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError("the dashboard did not come up")
