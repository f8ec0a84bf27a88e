"""Whether the collection answers: one finds out for all who ask, and takes nobody's turn to search."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from tuku.web.executor import BoundedExecutor
from tuku.web.problems import RefusedError, refusal_of

READY_S = 2.0
"""So long an answer holds: whoever asks more often costs nothing."""


class Readiness:
    """Belongs to one event loop.

    Args:
        check: raises what is wrong.
        timeout_s: longest wait for it.
        clock: monotonic seconds.
    """

    def __init__(
        self, check: Callable[[], None], timeout_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._check, self._clock = check, clock
        self._executor = BoundedExecutor("ready", 1, 0, timeout_s)
        self._asked: asyncio.Task[RefusedError | None] | None = None
        self._answered_s = 0.0

    async def refusal(self) -> RefusedError | None:
        """Why it is not ready; None: it is."""
        if self._asked is None or (self._asked.done() and self._clock() - self._answered_s >= READY_S):
            self._asked = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asked)  # whoever asked first may go away

    def close(self) -> None:
        """Ask nothing more."""
        self._executor.close()

    async def _ask(self) -> RefusedError | None:
        try:
            await self._executor.run(self._check)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is not ready
            return refusal_of(error)
        finally:
            self._answered_s = self._clock()
        return None
