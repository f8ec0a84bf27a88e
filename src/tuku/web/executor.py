"""So much at once, so much waiting, and not longer than people wait: the rest is told to come again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from tuku.web.problems import RefusedError

T = TypeVar("T")


class BoundedExecutor:
    """Work in threads. Belongs to one event loop.

    Args:
        name: of the threads.
        at_once: how many there are.
        waiting: how much work may wait for one of them.
        timeout_s: longest wait for the end of a piece of work, its turn included.
    """

    def __init__(self, name: str, at_once: int, waiting: int, timeout_s: float) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix=name)
        self._most = at_once + waiting
        self._timeout_s = timeout_s
        self.taken = 0

    async def run(self, work: Callable[[], T]) -> T:
        """What the work returns or raises.

        Raises:
            RefusedError: 503: too much is waiting, or it took too long. What has begun goes on to its end all the
                same, and keeps its thread until then.
        """
        if self.taken >= self._most:
            raise RefusedError(
                503, "Too many searches at once.", "Try again in a moment.", code="busy", retry_after_s=1
            )
        self.taken += 1
        loop = asyncio.get_running_loop()
        future = self._threads.submit(work)
        future.add_done_callback(lambda _: _tell(loop, self._ended))
        outcome = asyncio.wrap_future(future)
        outcome.add_done_callback(heard)
        try:
            return await asyncio.wait_for(asyncio.shield(outcome), self._timeout_s)
        except asyncio.TimeoutError:  # before Python 3.11 it is no TimeoutError
            if _raised_by(future):
                raise
            future.cancel()
            raise RefusedError(
                503,
                f"There was no answer within {self._timeout_s:g} s.",
                "Try again in a moment, or ask for less.",
                code="timeout",
                retry_after_s=5,
            ) from None

    def close(self) -> None:
        """Begin nothing more; what has begun ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ended(self) -> None:
        self.taken -= 1


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(what)


def heard(outcome: asyncio.Future[T]) -> None:
    """What ends when nobody waits for it any more is nobody's: Python need not complain that nobody asked."""
    if not outcome.cancelled():
        outcome.exception()


def _raised_by(future: Future[T]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is not None
