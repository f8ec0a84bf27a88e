"""Work that is not waited for longer than somebody has patience."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class OverdueError(Exception):
    """The time is up."""


class TimeLimit:
    """Seconds that begin when it is made.

    Args:
        seconds: how many.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._until_s = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        return time.monotonic() >= self._until_s

    def left_s(self) -> float:
        """Seconds that are left.

        Raises:
            OverdueError: none are.
        """
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            raise OverdueError
        return left_s

    def run(self, work: Callable[[], T]) -> T:
        """The work's result.

        The work has a thread of its own: what it waits for may not let itself be interrupted. When the time is up it is
        left alone there, and shall end by itself by looking at `left_s` before each step; it does not keep the process
        from ending.

        Raises:
            OverdueError: the time is up.
            Exception: what the work raises.
        """
        outcomes: queue.SimpleQueue[T | _Raised] = queue.SimpleQueue()

        def worked() -> None:
            try:
                outcomes.put(work())
            except BaseException as error:  # noqa: BLE001  # raised again where it is waited for
                outcomes.put(_Raised(error))

        threading.Thread(target=worked, name="limited", daemon=True).start()
        try:
            outcome = outcomes.get(timeout=self.left_s())
        except queue.Empty:
            raise OverdueError from None
        if isinstance(outcome, _Raised):
            raise outcome.error
        return outcome


class _Raised:
    def __init__(self, error: BaseException) -> None:
        self.error = error
