"""The one event loop on which this process talks to services."""

from __future__ import annotations

import threading
from collections.abc import Sequence
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


def wait_all(futures: Sequence[Future[T]]) -> list[T]:
    """The results in order; all are cancelled if the waiting is interrupted (Ctrl-C)."""
    try:
        return [future.result() for future in futures]
    except BaseException:
        for future in futures:
            future.cancel()
        raise
