"""The one event loop on which this process talks to services."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

from tuku.loop import LoopThread

T = TypeVar("T")

_starting = threading.Lock()
_running: list[LoopThread] = []


def service_loop() -> LoopThread:
    """The same for every model: quotas, sessions and semaphores belong to one loop, and all models share a session."""
    with _starting:
        if not _running:
            _running.append(LoopThread("services"))
        return _running[0]


def wait_all(futures: Sequence[Future[T]], timeout_s: float | None = None) -> list[T]:
    """The results in order; all are cancelled if the waiting is interrupted (Ctrl-C) or takes too long.

    Args:
        futures: of work on `service_loop`.
        timeout_s: longest wait for all of them, seconds; None: for ever.

    Raises:
        concurrent.futures.TimeoutError: it took longer.
    """
    if timeout_s is None:
        return _results(futures, lambda: None)
    until_s = time.monotonic() + timeout_s
    return _results(futures, lambda: max(0.0, until_s - time.monotonic()))


def _results(futures: Sequence[Future[T]], left_s: Callable[[], float | None]) -> list[T]:
    try:
        return [future.result(left_s()) for future in futures]
    except BaseException:
        for future in futures:
            future.cancel()
        raise
