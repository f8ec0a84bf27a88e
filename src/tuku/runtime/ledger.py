"""What a run has spent, what it may still spend, and whether it goes on. No Ray in here.

Workers report totals, not steps: a ledger that was lost and begun anew is right again once each has reported.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tuku.config import LimitsConfig
from tuku.errors import StoppedError


class Halt(NamedTuple):
    """Why a run is ended.

    Attributes:
        name: class of the error.
        finish: requests that have leave already are still sent.
    """

    name: str
    message: str
    remedy: str
    finish: bool = False


_REMEDY = "What was paid for is kept: the same command goes on from there."
_PARTS = 16
"""A worker gets at most this part of what is left at a time: little is left over when another finds nothing."""


@dataclass(frozen=True)
class Use:
    """What was asked of one stage's service."""

    requests: int = 0
    tokens: int = 0
    throttled: int = 0

    def __add__(self, other: Use) -> Use:
        return Use(self.requests + other.requests, self.tokens + other.tokens, self.throttled + other.throttled)

    def __sub__(self, other: Use) -> Use:
        return Use(self.requests - other.requests, self.tokens - other.tokens, self.throttled - other.throttled)


Demand = dict[str, list[tuple[int, Use]]]
"""By stage: (second since the start, what was asked in it), in order, without the seconds of nothing."""


@dataclass(frozen=True)
class Allowance:
    """Calls that may be sent and money that may be spent; infinite where nothing limits them."""

    calls: float = 0.0
    cost: float = 0.0

    def __add__(self, other: Allowance) -> Allowance:
        return Allowance(self.calls + other.calls, self.cost + other.cost)


@dataclass
class Ledger:
    """The books of one run.

    Args:
        limits: where it stops.
        clock: seconds, monotonic.
    """

    limits: LimitsConfig
    clock: Callable[[], float] = time.monotonic
    halt: Halt | None = None
    _entered: set[str] = field(default_factory=set)
    _granted: dict[str, Allowance] = field(default_factory=dict)
    _used: dict[str, Mapping[str, Use]] = field(default_factory=dict)
    _seconds: dict[str, dict[int, Use]] = field(default_factory=lambda: defaultdict(dict))
    _started: float | None = None

    def stop(self, halt: Halt) -> None:
        """End the run; the first reason stays."""
        self.halt = self.halt or halt

    def enter(self, block: str) -> Halt | None:
        """A worker takes up a block, unless the run has been ended."""
        if self.halt is None:
            self._entered.add(block)
        return self.halt

    def entered_blocks(self) -> set[str]:
        """All blocks that were taken up."""
        return self._entered

    def report(self, worker: str, used: Mapping[str, Use], granted: Allowance) -> Halt | None:
        """A worker's totals so far, by stage, and what it has been allowed so far.

        Returns:
            Why the run has been ended, or None.
        """
        now = self.clock()
        self._started = now if self._started is None else self._started
        minutes = self.limits.max_minutes
        if minutes is not None and now - self._started > 60 * minutes:
            self.stop(Halt(StoppedError.__name__, f"limits.max_minutes = {minutes:g} has passed.", _REMEDY))
        before = self._used.get(worker, {})
        for stage, use in used.items():
            second, step = int(now - self._started), use - before.get(stage, Use())
            if step != Use():
                self._seconds[stage][second] = self._seconds[stage].get(second, Use()) + step
        self._used[worker] = dict(used)
        self._granted[worker] = granted
        return self.halt

    def grant(self, worker: str, wanted: Allowance) -> Allowance | Halt:
        """What a worker may use on top of what it was allowed before.

        Args:
            worker: who asks.
            wanted: the least that is of use to it.

        Returns:
            At least what was wanted, or why there is nothing more. The run is not ended by that: the worker may
            have got back meanwhile what it had set aside for other requests.
        """
        if self.halt is not None:
            return self.halt
        limits, spent = self.limits, sum(self._granted.values(), Allowance())
        calls = _share(limits.max_calls, spent.calls, wanted.calls, whole=True)
        cost = _share(limits.max_cost, spent.cost, wanted.cost)
        if calls is None:
            return _reached("max_calls", limits.max_calls)
        if cost is None:
            return _reached("max_cost", limits.max_cost)
        more = Allowance(calls, cost)
        self._granted[worker] = self._granted.get(worker, Allowance()) + more
        return more

    def series(self) -> Demand:
        """What was asked of each service over time."""
        return {stage: sorted(seconds.items()) for stage, seconds in self._seconds.items()}


def _reached(limit: str, value: float | None) -> Halt:
    return Halt(StoppedError.__name__, f"limits.{limit} = {value:g} is reached.", _REMEDY, finish=True)


def _share(limit: float | None, spent: float, wanted: float, *, whole: bool = False) -> float | None:
    if limit is None:
        return math.inf
    left = limit - spent
    part = left // _PARTS if whole else left / _PARTS
    return None if wanted > left else max(wanted, part)
