"""What a run has spent, what it may still spend, and whether it goes on. No Ray in here."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tuku import errors
from tuku.config import LimitsConfig
from tuku.errors import StoppedError, TukuError
from tuku.runtime.claim_book import ClaimBook

_REMEDY = "What was paid for is kept: the same command goes on from there."


class Halt(NamedTuple):
    """Why a run is ended: an error as it travels between processes.

    Attributes:
        name: class of the error.
        finish: requests that have leave already are still sent.
    """

    name: str
    message: str
    remedy: str
    finish: bool = False

    @classmethod
    def of(cls, error: TukuError) -> Halt:
        """Ends the run at once."""
        return cls(type(error).__name__, error.message, error.remedy)

    def error(self) -> TukuError:
        """The error, in this process."""
        made: TukuError = getattr(errors, self.name, TukuError)(self.message, self.remedy)
        return made


class Entry(NamedTuple):
    """The answer to a worker that takes up a block.

    Attributes:
        halt: why the block is not to be worked, or None.
        again: the block was taken up before, by a worker that was lost; what it had paid for is in its journal.
    """

    halt: Halt | None
    again: bool = False


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


def block_id(file: str, row_group: int) -> str:
    """What a block of the work list is called in the books."""
    return f"{file}#{row_group}"


Demand = dict[str, list[tuple[int, Use]]]
"""By stage: (second since the start, what was asked in it), in order, without the seconds of nothing."""


@dataclass(frozen=True)
class Returned:
    """What a worker had reserved and did not use, so far."""

    calls: int = 0
    cost: float = 0.0

    def __add__(self, other: Returned) -> Returned:
        return Returned(self.calls + other.calls, self.cost + other.cost)


@dataclass
class Ledger:
    """The books of one run. Every request is reserved here before it is sent, if there is a limit on calls or money.

    Args:
        limits: where it stops.
        clock: seconds, monotonic.
    """

    limits: LimitsConfig
    clock: Callable[[], float] = time.monotonic
    halt: Halt | None = None
    _calls: int = 0
    _cost: float = 0.0
    _claims: ClaimBook = field(default_factory=ClaimBook)
    _entered: set[str] = field(default_factory=set)
    _returned: dict[str, Returned] = field(default_factory=dict)
    _used: dict[str, Mapping[str, Use]] = field(default_factory=dict)
    _seconds: dict[str, dict[int, Use]] = field(default_factory=lambda: defaultdict(dict))
    _started: float | None = None

    def stop(self, halt: Halt) -> None:
        """End the run. The first reason stays, but one that allows nothing more takes the place of one that does."""
        if self.halt is None or (self.halt.finish and not halt.finish):
            self.halt = halt

    def enter(self, block: str) -> Entry:
        """A worker takes up a block, unless the run has been ended."""
        if self.halt is not None:
            return Entry(self.halt)
        again = block in self._entered
        self._entered.add(block)
        return Entry(None, again)

    def entered_blocks(self) -> set[str]:
        """All blocks that were taken up."""
        return self._entered

    def claim(self, block: str, digests: Sequence[bytes]) -> list[bool]:
        """See `ClaimBook.claim`."""
        return self._claims.claim(block, digests)

    def next_round(self) -> None:
        """Rows that were set aside are worked now: nobody holds a claim any more, least of all on what failed."""
        self._claims = ClaimBook()

    def report(self, worker: str, used: Mapping[str, Use], returned: Returned) -> Halt | None:
        """A worker's totals so far.

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
        self._returned[worker] = returned
        return self.halt

    def reserve(self, cost: float) -> Halt | None:
        """Set one call and its money aside.

        Args:
            cost: at most what it is expected to cost.

        Returns:
            None, or why it must not be sent; the run is ended then.
        """
        if self.halt is not None:
            return self.halt
        returned = sum(self._returned.values(), Returned())
        limits = self.limits
        if limits.max_calls is not None and self._calls - returned.calls + 1 > limits.max_calls:
            self.stop(_reached("max_calls", limits.max_calls))
        elif limits.max_cost is not None and self._cost - returned.cost + cost > limits.max_cost:
            self.stop(_reached("max_cost", limits.max_cost))
        else:
            self._calls, self._cost = self._calls + 1, self._cost + cost
        return self.halt

    def series(self) -> Demand:
        """What was asked of each service over time."""
        return {stage: sorted(seconds.items()) for stage, seconds in self._seconds.items()}


def _reached(limit: str, value: float) -> Halt:
    return Halt(StoppedError.__name__, f"limits.{limit} = {value:g} is reached.", _REMEDY, finish=True)


def ledger_lost(error: Exception) -> StoppedError:
    """Why a run stops of which nobody knows any more what it may spend."""
    return StoppedError(f"The run's ledger is lost ({type(error).__name__}).", _REMEDY)
