"""What one process has to tell the governor: collected, and told in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from weakref import WeakKeyDictionary

from tuku.quota.messages import Refusal, Settlement

Report = Callable[[Sequence[Settlement], Sequence[Refusal]], Awaitable[None]]
"""Tells of requests that have ended (see `Governor.report`)."""

EVERY_S = 0.25


class Outbox:
    """Messages of one event loop: told after `EVERY_S` at the latest, refusals at once.

    Args:
        report: tells the governor; called again only after it has returned.
        fail: told of the exception if `report` raises one.
    """

    def __init__(self, report: Report, fail: Callable[[BaseException], None]) -> None:
        self._report = report
        self._fail = fail
        self._settled: list[Settlement] = []
        self._refused: list[Refusal] = []
        self._sent_s: WeakKeyDictionary[asyncio.Task[object], float] = WeakKeyDictionary()
        self._timer: asyncio.TimerHandle | None = None
        self._telling: asyncio.Task[None] | None = None

    def sent(self) -> None:
        """The task that runs now sends a request."""
        task = asyncio.current_task()
        if task is not None:
            self._sent_s[task] = asyncio.get_running_loop().time()

    def age_s(self) -> float | None:
        """Seconds since the task that runs now sent its request; None if it sent none."""
        task = asyncio.current_task()
        sent_s = self._sent_s.pop(task, None) if task is not None else None
        return None if sent_s is None else asyncio.get_running_loop().time() - sent_s

    def add(self, message: Settlement | Refusal) -> None:
        """Tell the governor of this soon."""
        if isinstance(message, Refusal):
            self._refused.append(message)
            self._tell()
        else:
            self._settled.append(message)
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(EVERY_S, self._tell)

    async def flush(self) -> None:
        """Return once everything has been told."""
        while self._telling or self._settled or self._refused:
            self._tell()
            if self._telling:
                await asyncio.wait([self._telling])

    def _tell(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._telling is None and (self._settled or self._refused):
            self._telling = asyncio.get_running_loop().create_task(self._tell_once())

    async def _tell_once(self) -> None:
        settled, self._settled = self._settled, []
        refused, self._refused = self._refused, []
        try:
            await self._report(settled, refused)
        except Exception as error:  # noqa: BLE001 -- raised by everyone who waits for a turn
            self._fail(error)
        finally:
            self._telling = None
        self._tell()
