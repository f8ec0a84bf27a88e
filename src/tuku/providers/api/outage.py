"""Waits while a service is down for everybody, so that no row uses up its attempts on it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timezone
from http import HTTPStatus
from typing import TypeVar

from tuku.errors import RowError, StoppedError
from tuku.protocols import Quota
from tuku.providers.api.verdicts import Unavailable

F = TypeVar("F", bound="RowError | StoppedError")

FAILURES_IN_A_ROW = 8
OF_EVERYBODY_IN_A_ROW = 3
QUIET_S = 2.0
"""The service is down once so many requests in a row have failed and nothing was answered for so long in between.

Fewer are enough where the last one failed so that no row can be to blame.
"""

FIRST_PROBE_S = 1.0
LAST_PROBE_S = 30.0
_STEP_S = 1.0  # while waiting it is looked so often whether there is still something to wait for

_PERHAPS_THE_ROW = frozenset({"server_error", "timeout"})
_NOT_THE_ROW = frozenset({"service_unavailable", "connection_failed", "dns_failed"})
_OF_EVERYBODY = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})


def of_everybody(fault: F, status: int | None) -> F:
    """The same fault, under the code ``service_unavailable`` where its HTTP status says that no row is to blame."""
    if isinstance(fault, Unavailable) and status in _OF_EVERYBODY:
        return replace(fault, code="service_unavailable")
    return fault


class Outage:
    """Of one model's service, as one process sees it. Belongs to one event loop.

    While the service is down, one request after the other probes it, each for another row, after waits that double
    from `FIRST_PROBE_S` to `LAST_PROBE_S`; all the others wait. Some pictures and texts make a service fail each time:
    when no more than a few requests are left, a probe that failed with an error of the server or ran into its time
    limit does count against its row. Otherwise a few such rows would hold up the end of every run.

    Args:
        name: of the model, for the message.
        quota: halted when the outage has taken `max_outage_s`.
        max_outage_s: how long it is waited for.
        clock: monotonic seconds.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        name: str,
        quota: Quota,
        max_outage_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._name, self._quota, self._max_outage_s = name, quota, max_outage_s
        self._clock, self._sleep = clock, sleep
        self._failures = 0
        self._failing_since_s = 0.0  # the first failure since the last answer
        self._down_since_s: float | None = None
        self._since = datetime.now(timezone.utc)
        self._last_fault = ""
        self._probing = False
        self._probe_wait_s = FIRST_PROBE_S
        self._waiting: deque[asyncio.Future[bool]] = deque()

    async def clear(self) -> bool:
        """Wait until a request may be sent; whether this one is the probe, which `probed` must then be told of.

        Raises:
            StoppedError: the service has been down for too long; the quota is halted.
        """
        while self._is_down() and self._quota.halted is None:
            if self._probing and not await self._turn():
                continue
            self._probing = True
            try:
                await self._pause()
            except BaseException:
                self.probed()
                raise
            if self._is_down():
                return True
            self.probed()
        return False

    def probed(self) -> None:
        """The probe has ended, whatever came of it: it is the next one's turn."""
        self._probing = self._wake(1, turn=True) > 0

    def answered(self) -> None:
        """The service said something sensible, be it a refusal: it works."""
        self._failures = 0
        if self._is_down():
            self._down_since_s, self._probe_wait_s = None, FIRST_PROBE_S
            self._wake(len(self._waiting), turn=False)

    def failed(self, fault: Unavailable, *, probe: bool) -> bool:
        """A request got no answer; whether that is the service's affair, and no attempt of the row's."""
        now_s = self._clock()
        if not self._failures:
            self._failing_since_s, self._since = now_s, datetime.now(timezone.utc)
        self._failures += 1
        self._last_fault = fault.sentence
        if probe:
            self._probe_wait_s = min(2 * self._probe_wait_s, LAST_PROBE_S)
            return fault.code not in _PERHAPS_THE_ROW or len(self._waiting) >= FAILURES_IN_A_ROW
        many = self._failures >= (OF_EVERYBODY_IN_A_ROW if fault.code in _NOT_THE_ROW else FAILURES_IN_A_ROW)
        if many and not self._is_down() and now_s - self._failing_since_s >= QUIET_S:
            self._down_since_s = self._failing_since_s
        return many

    def _is_down(self) -> bool:
        return self._down_since_s is not None

    async def _pause(self) -> None:
        until_s = self._clock() + self._probe_wait_s
        while self._is_down() and self._quota.halted is None and (left_s := until_s - self._clock()) > 0:
            self._give_up_in_time()
            await self._sleep(min(left_s, _STEP_S))

    def _give_up_in_time(self) -> None:
        down_s = self._clock() - (self._down_since_s or 0.0)
        if down_s < self._max_outage_s:
            return
        error = StoppedError(
            f"{self._name} has not answered since {self._since:%Y-%m-%d %H:%M:%S} UTC ({down_s:.0f} s); "
            f"the last failure was {self._last_fault}",
            "Run it again when the service works: what was finished is kept. To wait longer, raise retry.max_outage_s.",
        )
        self._quota.halt(error)
        raise error

    async def _turn(self) -> bool:
        """Wait in line; whether it has come to this one to probe."""
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self.probed()  # it had come
            raise

    def _wake(self, most: int, *, turn: bool) -> int:
        woken = 0
        while self._waiting and woken < most:
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(turn)
                woken += 1
        return woken
