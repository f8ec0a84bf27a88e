"""Turns in two dimensions, requests and tokens: evenly spaced, and no unused time is saved up for later.

The generic cell rate algorithm (ITU-T I.371) with a tolerance of zero, for each dimension.
"""

from __future__ import annotations

import math

MOST_HASTE = 0.2
"""A request follows the one before sooner by at most this part of its spacing, to catch up on tokens given back."""

MOST_CREDIT_S = 1.0
"""Tokens given back are kept for at most so many seconds' worth: what was not used long ago is no leave for now."""


class Lane:
    """One dimension: when the next request may start, given what the last one took.

    Attributes:
        rate: amount a second; None: no limit. May be changed at any time and holds from the last turn given.
    """

    def __init__(self, rate: float | None) -> None:
        self.rate = rate
        self._last_s = -math.inf
        self._owed = 0.0  # what has to flow off after the last turn, before the next
        self._credit = 0.0  # what was charged too much, not given back yet

    @property
    def free_s(self) -> float:
        """The moment from which the next request may start, whatever it takes."""
        return self._last_s + self._owed / self.rate if self.rate else self._last_s

    def take(self, start_s: float, amount: float) -> None:
        """Give the turn at `start_s`, at or after `free_s`, to a request of this amount."""
        if start_s > self.free_s:
            self._credit = 0.0  # the lane had been free: nothing was held up by what had been charged too much
        given_back = min(self._credit, MOST_HASTE * amount)
        self._credit -= given_back
        self._last_s, self._owed = start_s, amount - given_back

    def correct(self, amount: float) -> None:
        """Charge this much more, at once; or less (negative), spread over the next requests."""
        paid = min(self._credit, max(0.0, amount))
        self._owed += max(0.0, amount) - paid
        most = MOST_CREDIT_S * self.rate if self.rate else 0.0
        self._credit = min(self._credit - paid + max(0.0, -amount), most)


class Pacer:
    """Gives each request the earliest moment at which both dimensions allow it."""

    def __init__(self, requests_per_s: float | None = None, tokens_per_s: float | None = None) -> None:
        self.requests = Lane(requests_per_s)
        self.tokens = Lane(tokens_per_s)

    @property
    def free_s(self) -> float:
        """The moment from which the next request may start."""
        return max(self.requests.free_s, self.tokens.free_s)

    def take(self, now_s: float, tokens: float) -> float:
        """The moment of the next request's turn, now or later; the turn is taken.

        Args:
            now_s: no turn is earlier.
            tokens: what the request is expected to use, input and output.
        """
        start_s = max(now_s, self.free_s)
        self.requests.take(start_s, 1.0)
        self.tokens.take(start_s, tokens)
        return start_s

    def settle(self, charged: float, used: float) -> None:
        """A request that was charged this many tokens has used that many."""
        self.tokens.correct(used - charged)
