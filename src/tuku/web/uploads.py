"""Large bodies: so many of them in memory at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import Headers

from tuku.web.asking import BESIDE_BYTES
from tuku.web.problems import RefusedError


class Uploads:
    """Gives out places in memory. Belongs to one event loop.

    Args:
        at_once: how many places there are.
        waiting: how many uploads may wait for one, their bytes still on the way.
        timeout_s: longest wait for a place.
    """

    def __init__(self, at_once: int, waiting: int, timeout_s: float) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._most, self._timeout_s = at_once + waiting, timeout_s
        self._taken = 0  # places, and those who wait for one

    @asynccontextmanager
    async def place(self, headers: Headers) -> AsyncIterator[None]:
        """A place for a body while it is read and searched with; a small one needs none.

        Raises:
            RefusedError: 503: there was none in time.
        """
        if _is_small(headers):
            yield
            return
        busy = RefusedError(503, "Too many pictures at once.", "Try again in a moment.", code="busy", retry_after_s=2)
        if self._taken >= self._most:
            raise busy
        self._taken += 1
        try:
            try:
                await asyncio.wait_for(self._places.acquire(), self._timeout_s)
            except asyncio.TimeoutError:
                raise busy from None
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._taken -= 1


def _is_small(headers: Headers) -> bool:
    length = headers.get("content-length", "")
    return length.isdecimal() and int(length) <= BESIDE_BYTES
