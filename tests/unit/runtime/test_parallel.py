"""A cluster that is started when there is work for it. A small Ray stands in for the large one here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from tuku.config import RuntimeConfig
from tuku.progress import SilentProgress
from tuku.runtime import parallel
from tuku.runtime.parallel import LazyCluster


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens to the cluster, in order."""
    events: list[str] = []

    @contextmanager
    def cluster(config: RuntimeConfig) -> Iterator[int]:
        events.append("start")
        yield 3
        events.append("stop")

    monkeypatch.setattr(parallel, "cluster", cluster)
    return events


def test_nothing_is_started_that_nobody_needs(started: list[str]) -> None:
    with LazyCluster(RuntimeConfig(), SilentProgress()) as cluster:
        assert list(cluster.map(str, [])) == []
        assert list(cluster.map(str, [7])) == ["7"]
    assert started == []


def test_it_is_started_once_and_ended_at_the_end_of_the_block(started: list[str]) -> None:
    with LazyCluster(RuntimeConfig(), SilentProgress()) as cluster:
        assert (cluster.workers(), cluster.workers()) == (3, 3)
        assert started == ["start"]
    assert started == ["start", "stop"]


def test_it_is_ended_when_the_block_breaks(started: list[str]) -> None:
    def broken() -> None:
        with LazyCluster(RuntimeConfig(), SilentProgress()) as cluster:
            cluster.workers()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert started == ["start", "stop"]


def test_a_single_item_is_worked_when_it_is_asked_for_and_raises_what_it_raises() -> None:
    with LazyCluster(RuntimeConfig(), SilentProgress()) as cluster:
        results = cluster.map(lambda _: 1 // 0, [None])
        with pytest.raises(ZeroDivisionError):
            next(results)


class TaskError(Exception):
    """As Ray wraps what a task has raised."""

    def __init__(self, cause: Exception) -> None:
        self.cause = cause


@dataclass
class SmallRay:
    """Works a task when its result is asked for."""

    cpus: list[float] = field(default_factory=list)
    puts: int = 0
    waiting: int = 0
    most: int = 0
    exceptions: Any = field(default_factory=lambda: SimpleNamespace(RayTaskError=TaskError))

    def remote(self, num_cpus: float) -> Any:
        self.cpus.append(num_cpus)
        return lambda function: SimpleNamespace(remote=lambda *arguments: self._start(function, arguments))

    def put(self, value: Any) -> Any:
        self.puts += 1
        return value

    def _start(self, function: Any, arguments: Any) -> Any:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        return function, arguments

    def get(self, task: Any) -> Any:
        self.waiting -= 1
        function, arguments = task
        try:
            return function(*arguments)
        except Exception as error:
            raise TaskError(error) from error


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> SmallRay:
    small = SmallRay()
    monkeypatch.setitem(sys.modules, "ray", small)
    return small


def test_many_items_are_worked_on_the_cluster_in_order_and_few_at_a_time(started: list[str], ray: SmallRay) -> None:
    with LazyCluster(RuntimeConfig(worker_cpus=0.5), SilentProgress()) as cluster:
        assert list(cluster.map(lambda number: number * 10, range(20))) == [number * 10 for number in range(20)]
    assert started == ["start", "stop"]
    assert (ray.cpus, ray.waiting) == ([0.5], 0)
    assert ray.most == 2 * 3
    assert ray.puts == 1  # what all tasks share is not sent with each


@pytest.mark.usefixtures("started", "ray")
def test_what_a_task_raises_comes_without_rays_layers() -> None:
    with LazyCluster(RuntimeConfig(), SilentProgress()) as cluster:
        results = cluster.map(lambda number: 1 // number, [1, 0])
        assert next(results) == 1
        with pytest.raises(ZeroDivisionError) as caught:
            next(results)
    assert caught.value.__suppress_context__
