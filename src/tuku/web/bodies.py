"""Bodies of requests, as they come: not larger than they may be, and not slower than people wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from starlette.types import Message, Receive

from tuku.web.problems import RefusedError


class Body:
    """One request's.

    Args:
        source: gives its parts, as ASGI has it.
        most_bytes: of all parts, whatever the request's header says.
        longest_s: from when the first part is asked for to when the last has come, seconds.
        too_large: what is said of a larger one.
    """

    def __init__(
        self, source: Receive, most_bytes: int, longest_s: float, too_large: Callable[[], RefusedError]
    ) -> None:
        self._source, self._left, self._longest_s, self._too_large = source, most_bytes, longest_s, too_large
        self._until_s: float | None = None
        self._whole = False

    async def receive(self) -> Message:
        """See ASGI.

        Raises:
            RefusedError: 413 as soon as it is too large, 408 when the time is up.
        """
        if self._whole:
            return await self._source()  # that the client has gone
        message = await self._next()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._left < 0:
                raise self._too_large()
        return message

    async def _next(self) -> Message:
        now_s = time.monotonic()
        self._until_s = self._until_s or now_s + self._longest_s
        try:
            return await asyncio.wait_for(self._source(), self._until_s - now_s)
        except asyncio.TimeoutError:  # before Python 3.11 it is no TimeoutError
            raise RefusedError(
                408, "The request came too slowly.", "Send a smaller picture, or try again.", code="too_slow"
            ) from None
