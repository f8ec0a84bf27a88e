"""A cluster that is started when it is first needed, and functions that run on it side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

from tuku.config import RuntimeConfig
from tuku.progress import Progress
from tuku.runtime.cluster import cluster

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")
R = TypeVar("R")

_IN_FLIGHT = 2  # for each worker: one runs and one waits


class LazyCluster:
    """Ray, joined or started at the first use; left, or stopped, at the end of the block.

    Args:
        config: which cluster.
        progress: told when it starts.
    """

    def __init__(self, config: RuntimeConfig, progress: Progress) -> None:
        self._config, self._progress = config, progress
        self._stack = ExitStack()
        self._workers = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def workers(self) -> int:
        """How many processes may work; starts the cluster if it has not been.

        Raises:
            ConfigError: there is no cluster at the address.
        """
        if not self._workers:
            self._progress.phase("start", "Ray")
            self._workers = self._stack.enter_context(cluster(self._config))
        return self._workers

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        """The results, in order; a single item is worked here, without a cluster."""
        if len(items) <= 1:
            yield from map(function, items)
            return
        import ray

        most = _IN_FLIGHT * self.workers()
        task = ray.remote(num_cpus=self._config.worker_cpus)(_call)
        work = ray.put(function)
        running: deque[Any] = deque()
        for item in items:
            if len(running) >= most:
                yield _result(running.popleft())
            running.append(task.remote(work, item))
        while running:
            yield _result(running.popleft())


def _call(function: Callable[[T], R], item: T) -> R:
    return function(item)


def _result(reference: Any) -> Any:
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None  # as it was raised, without Ray's layers
