"""How often a transient failure is tried again, and after which waits: a value, applied around one request.

For tests: with the environment variable ``TUKU_RETRY_WITHOUT_WAITING`` set to anything, no policy waits between its
attempts. It is read before every wait, so it holds in worker processes too.
"""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import tenacity

from tuku.errors import RowError

T = TypeVar("T")

WITHOUT_WAITING = "TUKU_RETRY_WITHOUT_WAITING"


@dataclass(unsafe_hash=True)
class ThrottledError(RowError):
    """A failure whose sender said when to come back.

    Attributes:
        retry_after_s: seconds to wait at least; a policy never waits longer than its own `max_wait_s`.
    """

    retry_after_s: float = 0.0


@dataclass
class Excuses:
    """What does not count against a policy's limits: the work adds to it while it is being tried.

    Attributes:
        attempts: tries that failed through no fault of the work.
        seconds: spent on those, or on waiting for leave to try.
    """

    attempts: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential backoff with full jitter, for work that returns its failure as a `RowError`.

    Attributes:
        attempts: how often the work is tried at most, the first time included.
        first_wait_s: the first wait is drawn from 0 to this; the range doubles from wait to wait.
        max_wait_s: no wait is longer.
        max_total_s: no attempt begins later than this after the first failed.
    """

    attempts: int = 3
    first_wait_s: float = 0.5
    max_wait_s: float = 10.0
    max_total_s: float = 300.0

    def call(self, work: Callable[[], T]) -> T:
        """The work's outcome once it is no retryable `RowError`, or else the last one, with its `attempts`."""
        excuses = Excuses()
        retrying = tenacity.Retrying(**self._options(excuses))
        return _counted(retrying(work), retrying.statistics, excuses)

    async def call_async(self, work: Callable[[], Awaitable[T]], excuses: Excuses | None = None) -> T:
        """Like `call`, on an event loop; the work may hold on to `excuses` and add to them."""
        excuses = excuses or Excuses()
        first = await work()
        if not _is_transient(first):
            return first  # nearly always: spares tenacity's set-up, which takes as long as a small download
        outcomes = [first]
        excuses.seconds = 0.0  # the seconds that are limited begin now

        async def replayed() -> T:
            return outcomes.pop() if outcomes else await work()

        retrying = tenacity.AsyncRetrying(**self._options(excuses))
        return _counted(await retrying(replayed), retrying.statistics, excuses)

    def _options(self, excuses: Excuses) -> dict[str, Any]:
        def stop(state: tenacity.RetryCallState) -> bool:
            seconds = (state.seconds_since_start or 0.0) + state.upcoming_sleep - excuses.seconds
            return state.attempt_number - excuses.attempts >= self.attempts or seconds >= self.max_total_s

        return {
            "stop": stop,
            "wait": lambda state: self._wait_s(state, excuses),
            "retry": tenacity.retry_if_result(_is_transient),
            "retry_error_callback": _last_outcome,
        }

    def _wait_s(self, state: tenacity.RetryCallState, excuses: Excuses) -> float:
        if os.environ.get(WITHOUT_WAITING):
            return 0.0
        counted = max(1, state.attempt_number - excuses.attempts)
        widest_s = min(self.max_wait_s, self.first_wait_s * 2 ** (counted - 1))
        outcome = _last_outcome(state)
        asked_s = outcome.retry_after_s if isinstance(outcome, ThrottledError) else 0.0
        # Jitter on top of what was asked: all the others were asked to come back at that moment too.
        return min(asked_s + random.uniform(0, widest_s), self.max_wait_s)  # noqa: S311  # keeps no secret


def _is_transient(outcome: object) -> bool:
    return isinstance(outcome, RowError) and outcome.retryable


def _last_outcome(state: tenacity.RetryCallState) -> Any:
    return state.outcome.result() if state.outcome is not None else None


def _counted(outcome: T, statistics: dict[str, Any], excuses: Excuses) -> T:
    if isinstance(outcome, RowError):
        return replace(outcome, attempts=max(1, statistics["attempt_number"] - excuses.attempts))
    return outcome
