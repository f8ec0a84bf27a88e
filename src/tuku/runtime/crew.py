"""The threads of one worker, and how they share what there is only so much of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from threading import Semaphore
from typing import TypeVar

from tuku.config import Config
from tuku.pipeline import Lane, Models

T = TypeVar("T")
U = TypeVar("U")

_FEWEST_SLICES = 2  # one is fetched while the other is worked


class Crew:
    """Slices of any number of blocks are worked side by side, in the order in which they came.

    Args:
        slices: how many at a time.
        places: how many of them may be in a lane at a time; in a lane that is not named, all.
    """

    def __init__(self, slices: int, places: Mapping[Lane, int]) -> None:
        self._pool = ThreadPoolExecutor(slices, thread_name_prefix="slice")
        self._lanes = {lane: Semaphore(count) for lane, count in places.items()}

    @classmethod
    def of(cls, models: Models, config: Config, workers: int) -> Crew:
        """As many threads as keep the models busy.

        Those in the lane "gpu" prepare their pictures side by side, and then take turns by themselves.
        """
        return cls(slices_at_once(models, config, workers), {"cpu": max(1, int(config.runtime.worker_cpus))})

    def turn(self, lane: Lane) -> AbstractContextManager[object]:
        """Wait for a place in a lane and keep it meanwhile."""
        return self._lanes.get(lane) or nullcontext()

    def map(self, work: Callable[[T], U], parts: Sequence[T]) -> list[U]:
        """The results, in order; after a failure what has not begun is dropped, and what has is waited for."""
        futures = [self._pool.submit(work, part) for part in parts]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            return [future.result(timeout=0) for future in _failed_first(futures)]
        finally:
            for future in futures:
                future.cancel()
            wait(futures)


def slices_at_once(models: Models, config: Config, workers: int) -> int:
    """How many slices each of so many workers has under way."""
    # One is on the GPU while each processor decodes another.
    fewest = 1 + int(config.runtime.worker_cpus) if models.on_gpu else _FEWEST_SLICES
    return max(_FEWEST_SLICES, fewest, math.ceil(models.rows_in_flight(workers) / models.slice_rows(config)))


def blocks_at_once(models: Models, config: Config, workers: int) -> int:
    """How many blocks each has under way, so that there are slices to work while one is finished."""
    rows = models.rows_in_flight(workers)
    if models.on_gpu:  # it has work while a block is written
        rows = max(rows, slices_at_once(models, config, workers) * models.slice_rows(config))
        return 1 + math.ceil(rows / models.block_rows(config, workers))
    return 2 + math.ceil(rows / models.block_rows(config, workers)) if rows else 1


def _failed_first(futures: Sequence[Future[U]]) -> Sequence[Future[U]]:
    failed = [future for future in futures if future.done() and future.exception() is not None]
    return failed or futures
