"""Processes that all want the same at the same time; started with `contend`, which says what each got."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from tuku.lease_watch import LeaseTimes
from tuku.storage import DiskStorage

FAST = LeaseTimes(beat_s=0.05, lost_after_s=0.6, dead_after_s=1.0, look_s=0.01)
PATIENT = LeaseTimes(beat_s=0.05, dead_after_s=3_600, look_s=0.01)  # The beat of a busy machine may pause.


def contend(processes: int, work: Callable[[int], Any]) -> list[Any]:
    """What `work` (its argument is the process's number) returns in each of some processes that start together."""
    context = multiprocessing.get_context("spawn")  # As other machines: nothing is inherited.
    barrier = context.Barrier(processes)
    with context.Pool(processes, initializer=_start, initargs=(barrier,)) as pool:
        return pool.map(partial(_together, work), range(processes), chunksize=1)


def create_all(root: Path, names: int, number: int) -> list[int]:
    """Try to create each of some files; which it did."""
    storage = DiskStorage(root)
    return [i for i in range(names) if storage.create(f"file-{i}", f"by {number}".encode())]


def count_up(root: Path, end: int, number: int) -> list[int]:
    """Raise the number in a file by swaps until it has reached the end; from which numbers it did."""
    storage, won = DiskStorage(root), []
    while (now := int(storage.read("count"))) < end:
        if storage.swap("count", b"%d" % (now + 1), expected=b"%d" % now):
            won.append(now)
    return won


def work_alone(root: Path, times: int, number: int) -> list[tuple[float, float]]:
    """Hold the lake's lease some times, for a moment each; from when to when (`time.monotonic`, one for all)."""
    from tuku.lake import Lake  # Slow to import, and the other contenders do not need it.

    held = []
    for _ in range(times):
        with Lake.at(str(root)).exclusive(wait_s=60, command=f"contender {number}", times=PATIENT):
            start = time.monotonic()
            time.sleep(0.02)
            held.append((start, time.monotonic()))
    return held


_barrier: Barrier | None = None


def _start(barrier: Barrier) -> None:
    global _barrier  # noqa: PLW0603  a pool's processes have no other place for what they share
    _barrier = barrier


def _together(work: Callable[[int], Any], number: int) -> Any:
    assert _barrier is not None
    _barrier.wait(60)
    return work(number)
