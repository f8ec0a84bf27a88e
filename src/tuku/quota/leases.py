"""One process's side of a quota: requests wait here, first come first served, for turns that a governor gives."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tuku.errors import TukuError
from tuku.quota.messages import Grant, Refusal, Settlement
from tuku.quota.outbox import Outbox, Report
from tuku.terms import Charge, ThrottleKind

Lease = Callable[[Sequence[int]], Awaitable[Grant]]
"""Asks for turns for requests of so many tokens each, in order (see `Governor.lease`)."""

MOST_ASKED = 256
"""Requests in one question: a governor gives out no more than half a second's worth at once."""

HASTE = 1.2
"""Turns that a busy event loop was late for are made up for at so many times the rate at most."""

AT_ONCE_S = 0.05
"""Turns of so long may come at once: what each wake-up is late must not add up over all of them."""

MOST_LATE_S = 0.15
"""A turn missed by more is given up: a service may allow no more than that to come at once."""


@dataclass(eq=False)
class _Waiter:
    tokens: int
    turn: asyncio.Future[None]


class LeasedQuota:
    """Implements `tuku.protocols.Quota` over a governor somewhere else. Belongs to one event loop.

    A request is settled by the task that acquired for it: so it is known when it was sent.

    Args:
        lease: asks the governor for turns; called again only after it has answered.
        report: tells the governor what has ended; likewise. An exception that either raises is raised by every
            `acquire` that waits then; a `TukuError` halts the quota.
    """

    def __init__(self, lease: Lease, report: Report) -> None:
        self._lease = lease
        self._outbox = Outbox(report, self._fail)
        self._waiting: deque[_Waiter] = deque()
        self._turns: deque[float] = deque()
        self._last_turn_s = self._last_due_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._again: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None
        self._halted: TukuError | None = None

    @property
    def halted(self) -> TukuError | None:
        """Why no further request is sent, or None."""
        return self._halted

    async def acquire(self, charge: Charge) -> None:
        """Wait for one request's turn. A wait that is cancelled takes nobody's turn.

        Raises:
            TukuError: the quota was halted.
        """
        if self._halted:
            raise self._halted
        waiter = _Waiter(charge.tokens, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        self._ask()
        self._arm()
        try:
            await waiter.turn
        except asyncio.CancelledError:
            self._give_up(waiter)
            raise
        self._outbox.sent()

    def settle(self, charge: Charge, used: Charge) -> None:
        """The request ended and used this."""
        self._outbox.add(Settlement(charge.tokens, used.tokens, self._outbox.age_s()))

    def throttled(self, charge: Charge, kind: ThrottleKind, retry_after_s: float | None) -> None:
        """The request was refused; the governor hears of it at once."""
        self._outbox.add(Refusal(kind, charge.tokens, self._outbox.age_s(), retry_after_s))

    def halt(self, error: TukuError) -> None:
        """Fail everyone who waits, now and from now on. Call it on the quota's event loop."""
        if self._halted is None:
            self._halted = error
        self._fail(self._halted)

    async def flush(self) -> None:
        """Return once the governor has been told of everything that ended."""
        await self._outbox.flush()

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, TukuError) and self._halted is None:
            self._halted = error
        for waiter in self._waiting:
            if not waiter.turn.done():
                waiter.turn.set_exception(error)
        self._waiting.clear()
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _give_up(self, waiter: _Waiter) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        elif not waiter.turn.cancelled() and waiter.turn.exception() is None:
            self._send_next()  # cancelled in the moment of its turn: the next one takes it

    def _ask(self) -> None:
        """Ask for turns for those that have none, unless it is known that there are none yet."""
        if self._asking is None and self._again is None and len(self._waiting) > len(self._turns):
            self._asking = asyncio.get_running_loop().create_task(self._ask_once())

    async def _ask_once(self) -> None:
        again_s = 0.0
        try:
            have = len(self._turns)
            wanted = [waiter.tokens for waiter in list(self._waiting)[have : have + MOST_ASKED]]
            grant = await self._lease(wanted)
            self._add_turns(grant)
            again_s = grant.again_s
        except Exception as error:  # noqa: BLE001 -- raised by everyone who waits for this
            self._fail(error)
        finally:
            self._asking = None
        if again_s:
            self._again = asyncio.get_running_loop().call_later(again_s, self._ask_again)
        else:
            self._ask()
        self._arm()

    def _ask_again(self) -> None:
        self._again = None
        self._ask()

    def _add_turns(self, grant: Grant) -> None:
        now_s = asyncio.get_running_loop().time()
        for delay_s in grant.delays_s:
            self._turns.append(max(now_s + delay_s, self._turns[-1] if self._turns else 0.0))

    def _arm(self) -> None:
        """Set the timer to the next turn. After a late one, those after it do not all come at once."""
        if self._timer is not None or not self._waiting or not self._turns:
            return
        self._timer = asyncio.get_running_loop().call_at(self._due_s(), self._on_turn)

    def _due_s(self) -> float:
        """When the next turn's request may go."""
        turn_s = self._turns[0]
        return max(turn_s, self._last_due_s + (turn_s - self._last_turn_s) / HASTE)

    def _on_turn(self) -> None:
        self._timer = None
        now_s = asyncio.get_running_loop().time()
        while self._turns and self._waiting:
            due_s = self._due_s()
            if now_s < due_s:
                break
            self._last_turn_s = turn_s = self._turns.popleft()
            if now_s - turn_s <= MOST_LATE_S:
                self._last_due_s = max(due_s, now_s - AT_ONCE_S)
                self._send_next()
        self._ask()
        self._arm()

    def _send_next(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.turn.done():
                waiter.turn.set_result(None)
                return
