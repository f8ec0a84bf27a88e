"""Joining and starting Ray: an explanation in time instead of a silence, and signals stay ours."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from ray_head import Head, ray_head
from support import environment
from tuku.config import RuntimeConfig
from tuku.errors import ConfigError
from tuku.runtime.cluster import workers_for

pytestmark = [pytest.mark.ray, pytest.mark.timeout(180)]


def run(script: str, *arguments: str, **env: str) -> str:
    """What a script prints, in a process of its own: Ray cannot be left in the middle of joining."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        env=environment(env), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


REFUSED = """
    import sys
    from tuku.config import RuntimeConfig
    from tuku.errors import ConfigError
    from tuku.runtime import cluster, joining

    joining._PATIENCE_S = 6
    try:
        with cluster.cluster(RuntimeConfig(address=sys.argv[1])):
            pass
        print("joined")
    except ConfigError as error:
        print(error)
"""

JOINED = """
    import os, signal, sys
    from tuku.config import RuntimeConfig
    from tuku.runtime.cluster import cluster

    heard = []
    signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    with cluster(RuntimeConfig(address=sys.argv[1], workers=2)) as workers:
        import ray
        assert ray.get(ray.remote(lambda: 1).remote()) == workers - 1
        os.kill(os.getpid(), signal.SIGTERM)
        with open(f"/proc/{os.getpid()}/task/{os.getpid()}/children") as file:
            groups = [os.getpgid(int(pid)) for pid in file.read().split()]
    assert not ray.is_initialized()
    os.kill(os.getpid(), signal.SIGTERM)
    assert heard == [signal.SIGTERM] * 2
    print("daemons:", len(groups) > 0, "in our group:", os.getpgrp() in groups)
"""


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    with ray_head(tmp_path_factory.mktemp("head") / "head.log") as running:
        yield running


def test_an_address_where_nobody_answers_is_an_explained_error() -> None:
    said = run(REFUSED, "127.0.0.1:9")
    assert "No Ray cluster answered at runtime.address = '127.0.0.1:9' within 6 seconds." in said
    assert "RAY_AUTH_MODE (here: not set)" in said


def test_a_cluster_that_knows_no_token_is_an_explained_error(head: Head, tmp_path: Path) -> None:
    said = run(REFUSED, head.address, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="0" * 64)
    assert f"No Ray cluster answered at runtime.address = {head.address!r}" in said
    assert "RAY_AUTH_MODE (here: token)" in said


def test_a_cluster_that_asks_for_a_token_is_an_explained_error(tmp_path: Path) -> None:
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}
    with ray_head(tmp_path / "head.log", env=token) as asking:
        said = run(REFUSED, asking.address, RAY_AUTH_MODE="disabled")
    assert f"No Ray cluster answered at runtime.address = {asking.address!r}" in said


def test_a_cluster_is_joined_and_signals_stay_ours(head: Head) -> None:
    assert run(JOINED, head.address, RAY_AUTH_MODE="disabled") == "daemons: False in our group: False\n"


@pytest.mark.skipif(sys.platform != "linux", reason="children are looked up in /proc")
def test_a_cluster_is_started_and_signals_stay_ours_alone() -> None:
    assert run(JOINED, "local") == "daemons: True in our group: False\n"


@pytest.mark.parametrize(
    ("wanted", "resources", "workers"),
    [
        ({}, {"CPU": 8.0}, 8),
        ({"worker_cpus": 3}, {"CPU": 8.0}, 2),
        ({"worker_cpus": 16}, {"CPU": 8.0}, 1),
        ({"worker_gpus": 1}, {"CPU": 64.0, "GPU": 4.0}, 4),
        ({"worker_gpus": 0.5, "worker_cpus": 4}, {"CPU": 16.0, "GPU": 4.0}, 4),
        ({"worker_gpus": 0.5}, {"CPU": 16.0, "GPU": 1.0}, 2),
    ],
)
def test_as_many_workers_as_find_room(wanted: dict[str, float], resources: dict[str, float], workers: int) -> None:
    assert workers_for(RuntimeConfig(**wanted), resources) == workers


def test_a_gpu_that_is_not_there_is_an_explained_error() -> None:
    with pytest.raises(ConfigError, match="the cluster has no GPU"):
        workers_for(RuntimeConfig(worker_gpus=1), {"CPU": 8.0})
