"""How fast to go in one dimension: near the limit while it holds, near what the service accepts when it does not.

Slow start, additive increase and multiplicative decrease, as TCP has them (RFC 5681), with two differences: after a
refusal the service's own rate is measured rather than halved down to, and what was refused is remembered, so that
trying again to go faster costs few refusals.
"""

from __future__ import annotations

import math
from typing import Literal

from tuku.quota.history import KEPT_S, History

PACE = 0.985
"""Part of the limit that is used: exactly at the limit about 1% of the requests are refused, at 0.98 none."""

FIRST_PART = 0.1
"""Where a slow start begins, as a part of the limit."""

LEAST_GROWTH = 0.125
"""Doublings a second at most, where the service refuses rates that rise too fast; one elsewhere."""

STEP_PER_S = 0.05
"""Additive increase, as a part of the limit, each second."""

HOLD_S = 8.0
MOST_HOLD_S = 16.0
"""How long a rate that held is kept before a faster one is tried; longer each time that this fails."""

SETTLE_S = 0.5
"""After a decrease has taken effect, the rate stays for so long at least."""

SURE_S = 2.0
"""A rate measured over this long is trusted; one over less is where to begin."""

FIRST_DECREASE = 0.95
"""After a first refusal at a rate that held, which may be jitter."""

SEARCH_DECREASE = 0.85
"""After a first refusal on the way up."""

DECREASE = 0.75
"""After one that follows soon, as long as too little is known to measure what the service accepts."""

MOST_DECREASE = 0.5
BELOW_MEASURED = 0.97
"""What was measured is used to this part, and never decreases the rate by more than that at once."""

BELOW_REFUSED = 0.98
BELOW_SHUT = 0.95
"""Parts of a refused rate up to which the rate climbs before it is held; both, after the service was shut."""

FIRST_PAUSE_S = 1.0
MOST_PAUSE_S = 6.0
"""While the service is shut, one request is tried this often; less often each time."""

Phase = Literal["start", "climb", "hold", "probe", "locked"]


class AdaptiveRate:
    """The rate of one dimension.

    Args:
        limit_per_s: what the service allows, of which `PACE` is used; None: not known, no bound until it refuses.
        least_per_s: a slow start does not begin below this.

    Attributes:
        rate: amount a second to go at; None: without bound.
        phase: ``start``: slow start. ``climb``: back up after a decrease. ``hold``: steady. ``probe``: looking for
            more. ``locked``: everything is refused.
    """

    def __init__(self, limit_per_s: float | None, least_per_s: float = 0.0) -> None:
        self.top = math.inf if limit_per_s is None else PACE * limit_per_s
        self._unit = limit_per_s or 0.0
        self._least = least_per_s
        self._growth = 1.0  # doublings a second at most
        self.rate: float | None = None
        self.phase: Phase = "hold"
        self._now_s = -math.inf
        self._history = History()
        self._good: float | None = None
        self._bad: float | None = None
        self._goal = self.top
        self._hold_s = HOLD_S
        self._until_s = math.inf
        self._pause_s = FIRST_PAUSE_S
        self._effect_s = -math.inf
        self._refused_s = self._probed_s = -math.inf
        if limit_per_s is not None:
            self._restart(-math.inf, self.top)

    def idled(self, now_s: float) -> None:
        """Nothing was sent for a while: begin with a slow start, up to where it was."""
        if self.rate is not None and self.phase != "locked":
            self._restart(now_s, self._goal if self.phase == "start" else self.rate)

    def _restart(self, now_s: float, goal: float) -> None:
        self._goal = goal
        first = min(self._goal, max(FIRST_PART * self._unit, self._least))
        self.rate, self.phase, self._now_s = first, "start", now_s

    def granted(self, start_s: float, amount: float) -> None:
        """A request of this amount has been given its turn."""
        self._history.sent(start_s, amount)

    def advance(self, now_s: float) -> None:
        """Let the rate grow as time goes by."""
        elapsed_s, self._now_s = now_s - max(self._now_s, self._effect_s + SETTLE_S), max(now_s, self._now_s)
        if self.rate is None or not 0 < elapsed_s < math.inf:
            return
        doubled = self.rate * (2 ** min(self._growth * elapsed_s, 60.0) - 1.0)
        step = min(doubled, STEP_PER_S * self._unit * elapsed_s)
        if self.phase == "start":
            self._reach(self.rate + doubled, now_s)
        elif self.phase == "climb":
            self._reach(self.rate + step, now_s)
        elif self.phase == "hold" and now_s >= self._until_s:
            self._held()
        elif self.phase == "probe":
            self._probe(self.rate + step, now_s)

    def answered(self, now_s: float, sent_s: float) -> None:
        """A request that was sent then was not refused."""
        if self.phase == "locked" and sent_s > self._effect_s and self._good is not None:
            self._refused_s = -math.inf
            self._restart(now_s, self._good)

    def refused(self, now_s: float, sent_s: float, effect_s: float) -> bool:
        """A request that was sent then was refused for this dimension; whether that changed the rate.

        Args:
            now_s: now.
            sent_s: when it was sent.
            effect_s: from when on a new rate holds: what is sent before has its turn already.
        """
        self._history.refused(sent_s)
        shut = self._history.is_shut(sent_s)
        if sent_s <= self._effect_s:
            if not shut or self.phase == "locked":
                return False
        elif self.phase == "hold" and self.rate is not None and not shut and self._history.is_jitter(sent_s):
            return False
        before = self._refused_rate(now_s)
        if shut or self.phase == "locked":
            self._lock(before)
        else:
            self._decrease(before, sent_s, effect_s)
        self._now_s = self._effect_s = effect_s
        return True

    def gentler(self) -> None:
        """The rate rose too fast: it may double half as often until it has been at the top again."""
        self._growth = max(LEAST_GROWTH, self._growth / 2)

    def _refused_rate(self, now_s: float) -> float:
        if self.rate is not None and self.top < math.inf:
            return self.rate
        recent = self._history.rate(now_s)  # without a limit, the rate that was allowed says little
        self._unit = self._unit or recent
        return min(recent, self.rate or math.inf)

    def _decrease(self, before: float, sent_s: float, effect_s: float) -> None:
        """Go on more slowly than `before`, but for what a probe has left; `sent_s`: the refused request's turn."""
        rate, sure = self._slower(before, sent_s)
        if self.phase == "probe" and self._good is not None:
            rate, sure = max(min(self._good, before), rate if sure else 0.0), True
            self._hold_s = min(MOST_HOLD_S, 1.5 * self._hold_s)
            self._probed_s = sent_s
        elif self._good is not None and sent_s < self._probed_s + HOLD_S:
            # The probe has used up what was left of the minute: what held before it still does.
            good = min(self._good, before, BELOW_MEASURED * self._history.minute_rate(sent_s))
            rate, sure = max(rate, good), sure or rate < good
        self.rate, self._bad, self._goal = rate, before, min(self.top, BELOW_REFUSED * before)
        self.phase, self._until_s = ("hold", effect_s + self._hold_s) if sure else ("climb", math.inf)
        self._refused_s = sent_s

    def _slower(self, before: float, sent_s: float) -> tuple[float, bool]:
        """The rate to go on at, and whether it is worth holding."""
        apart_s = sent_s - self._refused_s
        if apart_s > KEPT_S and self.phase == "climb":
            return SEARCH_DECREASE * before, True
        if apart_s > KEPT_S and self.phase == "hold":
            return FIRST_DECREASE * before, False
        accepted = self._history.accepted_rate(self._refused_s, sent_s)
        if accepted is None:
            return DECREASE * before, False
        measured = max(MOST_DECREASE * before, BELOW_MEASURED * accepted)
        return min(FIRST_DECREASE * before, measured), apart_s >= SURE_S

    def _lock(self, before: float) -> None:
        """Try one request now and then. What may be good afterwards is half of what was tried before."""
        if self.phase != "locked":
            self._bad = BELOW_SHUT * (self._bad or before)
            self._good, self._pause_s = 0.5 * self._bad, FIRST_PAUSE_S / 2
        self.phase = "locked"
        self._pause_s = min(MOST_PAUSE_S, 2 * self._pause_s)
        self.rate = self._history.last_amount / self._pause_s

    def _reach(self, rate: float, now_s: float) -> None:
        self.rate = min(rate, self._goal)
        if self.rate < self._goal:
            return
        if self.phase == "start" and self._goal < self.top:
            self.phase, self._goal = "climb", min(self.top, BELOW_REFUSED * self._bad if self._bad else self.top)
        if self.rate >= self._goal:
            self.phase, self._until_s = "hold", now_s + self._hold_s

    def _held(self) -> None:
        self._good = self.rate
        if self.rate is not None and self.rate < self.top:
            self.phase = "probe"
        else:
            self._growth = 1.0

    def _probe(self, rate: float, now_s: float) -> None:
        self.rate = min(rate, self.top)
        if self._bad and self.rate > 1.15 * self._bad:
            self._bad, self._hold_s = None, HOLD_S
        if self.rate >= self.top:
            self._bad, self._hold_s = None, HOLD_S
            self.phase, self._until_s = "hold", now_s + self._hold_s
