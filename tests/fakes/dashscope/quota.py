"""Lets requests in as the quota of their model allows: in any minute, in any second, and not rising too fast."""

from __future__ import annotations

import math

from fakes.dashscope.catalogue import Model
from fakes.dashscope.errors import ApiError
from fakes.dashscope.settings import Limits, PerMinute
from fakes.dashscope.windows import SlidingSum

_RISE_S = 5.0
_RISE_FACTOR = 2


class Allowance:
    """Of requests or of tokens: a sliding minute, and a bucket that fills at a sixtieth of the quota a second."""

    def __init__(self) -> None:
        self._minute = SlidingSum(60.0)
        self._level = math.inf
        self._filled_at = 0.0

    def has(self, amount: int, per_min: int | None, burst_s: float, now: float) -> bool:
        """Whether so much is left. More than the bucket holds is let through when it is full."""
        if per_min is None:
            return True
        capacity = max(1.0, per_min / 60 * burst_s)
        self._level = min(capacity, self._level + (now - self._filled_at) * per_min / 60)
        self._filled_at = now
        return self._level >= min(amount, capacity) and self._minute.at(now) + amount <= per_min

    def take(self, amount: int, now: float) -> None:
        """Use it up; what is known only afterwards, such as an answer's tokens, may leave a debt."""
        self._minute.add(amount, now)
        self._level -= amount

    def waste(self, amount: int, now: float) -> None:
        """Count a refused call: it leaves no debt, but empties the bucket and fills the minute."""
        self._minute.add(amount, now)
        self._level = max(min(self._level, 0.0), self._level - amount)


class Gate:
    """One model's quota."""

    def __init__(self) -> None:
        self._requests, self._tokens = Allowance(), Allowance()
        self._recent, self._recent_and_before = SlidingSum(_RISE_S), SlidingSum(2 * _RISE_S)

    def enter(self, model: Model, limits: Limits, tokens: int, now: float) -> None:
        """Let one request of `tokens` input tokens in.

        Raises:
            ApiError: 429, in one of its three kinds.
        """
        code = self._refusal(model, limits, tokens, now)
        if code is None:
            self._requests.take(1, now)
            self._tokens.take(tokens, now)
            self._recent.add(1, now)
            self._recent_and_before.add(1, now)
            return
        if limits.refused_calls_count:
            self._requests.waste(1, now)
            self._tokens.waste(tokens, now)
        raise ApiError(429, code, _MESSAGES[code], limits.retry_after_s)

    def answered(self, tokens: int, now: float) -> None:
        """Count the tokens of an answer."""
        self._tokens.take(tokens, now)

    def _refusal(self, model: Model, limits: Limits, tokens: int, now: float) -> str | None:
        requests_per_min = _number(limits.requests_per_min, model.requests_per_min)
        tokens_per_min = _number(limits.tokens_per_min, model.tokens_per_min)
        if not self._requests.has(1, requests_per_min, limits.burst_s, now):
            return "Throttling.RateQuota"
        if not self._tokens.has(tokens, tokens_per_min, limits.burst_s, now):
            return "Throttling.AllocationQuota"
        if requests_per_min is not None and limits.burst_rate_above is not None:
            floor = limits.burst_rate_above * requests_per_min * _RISE_S / 60
            if self._rises_above(floor, now):
                return "Throttling.BurstRate"
        return None

    def _rises_above(self, floor: float, now: float) -> bool:
        recent = self._recent.at(now)
        before = self._recent_and_before.at(now) - recent
        return recent + 1 > max(floor, _RISE_FACTOR * before)


def _number(configured: PerMinute, documented: int | None) -> int | None:
    return documented if configured == "documented" else configured


_MESSAGES = {
    "Throttling.RateQuota": "Requests rate limit exceeded, please try again later.",
    "Throttling.AllocationQuota": "Allocated quota exceeded, please increase your quota limit.",
    "Throttling.BurstRate": "Request rate increased too quickly, please slow down.",
}
