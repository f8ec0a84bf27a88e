"""One request to a service: wait for leave, send, judge what came back, and try again if that may help."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Generic, TypeVar

from tuku.errors import STOPPED, RowError, StoppedError, TukuError
from tuku.protocols import ModelDescription
from tuku.providers.api.meter import Meter, Tokens
from tuku.providers.api.outage import Outage
from tuku.providers.api.verdicts import Throttled, Unavailable
from tuku.providers.factory import Access
from tuku.retry import Excuses, RetryPolicy
from tuku.terms import Charge, Terms

T = TypeVar("T")
R = TypeVar("R")

ASKED_AT_MOST = 3
"""How often a service is asked for the same thing when what it answers is no good."""

THROTTLED_PATIENCE = 4.0
"""Being throttled is excused for this many times `retry.max_total_s`; then it counts like any other failure."""

_PERHAPS_BILLED = frozenset({"timeout", "connection_reset", "bad_answer"})
"""Failures after which the service may have done its work all the same: a limit on money counts them."""


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What a service answered.

    Attributes:
        value: the answer.
        tokens: what it used, if the server said so.
        request_id: the server's name for it.
    """

    value: T
    tokens: Tokens | None = None
    request_id: str | None = None

    def read_as(self, read: Callable[[T], R]) -> Answer[R]:
        """The same answer with what `read` makes of its value."""
        return Answer(read(self.value), self.tokens, self.request_id)


@dataclass
class _Request(Generic[T]):
    guess: Tokens
    send: Callable[[], Awaitable[Answer[T] | RowError | StoppedError]]
    excuses: Excuses = field(default_factory=Excuses)
    sent: int = 0
    excused_since_s: float | None = None  # the try before this one was excused: so is what lies between the two
    throttled_since_s: float | None = None
    request_id: str | None = None


class Caller:
    """Sends the requests to one model's service. Belongs to one event loop (see `loop.service_loop`).

    A slot is taken before leave is asked for, and only then does the time of a request begin to run: no request times
    out in a queue of our own. Each try needs leave of its own. What counts against `retry.attempts` and
    `retry.max_total_s` is the row's own share: not the waiting for leave, not an outage of the service as a whole
    (see `Outage`), and not being throttled (within `THROTTLED_PATIENCE`).

    Args:
        description: of the model, with its terms.
        access: to the service.

    Attributes:
        slots: one for each request in flight.
        meter: what was used.
    """

    def __init__(self, description: ModelDescription, access: Access) -> None:
        terms = description.terms or Terms()
        self.slots = asyncio.Semaphore(terms.concurrency)
        self.meter = Meter(terms.price)
        self._quota, self._max_total_s, self._max_outage_s = (
            access.quota,
            access.retry.max_total_s,
            access.retry.max_outage_s,
        )
        self._name = f"{description.provider}/{description.model}"
        self._refused_since_s: float | None = None  # since then everything was one too many
        self._outage = Outage(self._name, access.quota, access.retry.max_outage_s)
        self._policy = RetryPolicy(
            attempts=access.retry.attempts,
            first_wait_s=access.retry.first_wait_s,
            max_wait_s=access.retry.max_wait_s,
            max_total_s=access.retry.max_total_s,
        )

    async def ask(
        self,
        guess: Tokens,
        send: Callable[[], Awaitable[Answer[T] | RowError | StoppedError]],
        read: Callable[[T], R | RowError],
    ) -> R | RowError:
        """Take a slot and ask until the answer is one that `read` has no fault to find with, `ASKED_AT_MOST` times."""
        async with self.slots:
            for asked in range(ASKED_AT_MOST):
                answer = await self.request(guess, send)
                if isinstance(answer, RowError):
                    return replace(answer, attempts=answer.attempts + asked)
                outcome = read(answer.value)
                if not isinstance(outcome, RowError):
                    return outcome
                outcome = replace(outcome, attempts=asked + 1, request_id=answer.request_id)
                if not outcome.retryable:
                    return outcome
            return outcome

    async def request(
        self, guess: Tokens, send: Callable[[], Awaitable[Answer[T] | RowError | StoppedError]]
    ) -> Answer[T] | RowError:
        """Send a request for which the caller holds a slot, again and again if that may help.

        Args:
            guess: the tokens that it may use.
            send: sends it once; must end within `retry.request_timeout_s`. A `StoppedError` halts the run.

        Returns:
            The answer or why there is none, with its attempts; `STOPPED` once the run has been halted.
        """
        request = _Request(guess, send)
        try:
            return await self._policy.call_async(partial(self._try, request), request.excuses)
        except TukuError as error:
            attempts = max(1, request.sent - request.excuses.attempts)
            return RowError(STOPPED, str(error), retryable=True, attempts=attempts, request_id=request.request_id)

    async def _try(self, request: _Request[T]) -> Answer[T] | RowError:
        asked_s = time.monotonic() if request.excused_since_s is None else request.excused_since_s
        request.excused_since_s = None
        probe = await self._outage.clear()
        try:
            charge = self.meter.charge(request.guess)
            await self._quota.acquire(charge)
            sent_s = time.monotonic()
            request.excuses.seconds += sent_s - asked_s
            reply = await self._sent(request, charge)
            if isinstance(reply, Answer):
                self._refused_since_s = None
                self._outage.answered()
                return reply
            return self._judged(request, charge, reply, probe, time.monotonic() - sent_s)
        finally:
            if probe:
                self._outage.probed()

    async def _sent(self, request: _Request[T], charge: Charge) -> Answer[T] | RowError | StoppedError:
        self.meter.sent(again=request.sent > 0)
        request.sent += 1
        used = Charge()
        throttled = False
        try:
            reply = await request.send()
            if isinstance(reply, Answer):
                used = self.meter.answered(request.guess, reply.tokens)
            elif isinstance(reply, RowError) and reply.code in _PERHAPS_BILLED:
                used = charge
            throttled = isinstance(reply, Throttled)
            return reply
        finally:
            if not throttled:
                self._quota.settle(charge, used)  # also of what was cancelled or broke

    def _judged(
        self, request: _Request[T], charge: Charge, fault: RowError | StoppedError, probe: bool, took_s: float
    ) -> RowError:
        if isinstance(fault, StoppedError):
            self._quota.halt(fault)
            raise fault
        request.request_id = fault.request_id
        if isinstance(fault, Unavailable):
            excused = self._outage.failed(fault, probe=probe)
        else:
            self._outage.answered()
            excused = isinstance(fault, Throttled) and self._throttled(request, charge, fault)
        if excused:
            request.excuses.attempts += 1
            request.excuses.seconds += took_s
            request.excused_since_s = time.monotonic()
        if fault.retryable and self._quota.halted is not None:
            raise self._quota.halted  # at once, not after the next wait
        return fault

    def _throttled(self, request: _Request[T], charge: Charge, fault: Throttled) -> bool:
        self.meter.throttled()
        self._quota.throttled(charge, fault.kind, fault.retry_after_s or None)
        now_s = time.monotonic()
        if self._refused_since_s is None:
            self._refused_since_s = now_s
        elif now_s - self._refused_since_s > self._max_outage_s:
            exhausted = self._exhausted(fault, now_s - self._refused_since_s)
            self._quota.halt(exhausted)
            raise exhausted
        if request.throttled_since_s is None:
            request.throttled_since_s = now_s
        return now_s - request.throttled_since_s < THROTTLED_PATIENCE * self._max_total_s

    def _exhausted(self, fault: Throttled, since_s: float) -> StoppedError:
        return StoppedError(
            f"{self._name} has refused every request for {since_s:.0f} s as one too many; the last: {fault.sentence}",
            "The account's quota is exhausted, or others use it up. Run it again later: what was finished is kept.",
        )
