"""What estimates of tokens are worth: learned from what requests did use."""

from __future__ import annotations

MEMORY = 0.98
"""Weight of what was known before against each new request: the last fifty or so count."""

FIRST_TRUST = 2.0
"""Weight of a first belief that estimates are right, in requests."""


class TokenScale:
    """The factor from estimated to used tokens, and what the requests under way were charged.

    A request is charged by the factor of its day and settled by the average of all under way: so the sum of what was
    charged and corrected is what was used, without a word about each request.
    """

    def __init__(self) -> None:
        self._estimated = self._used = 0.0
        self._estimated_open = self._charged_open = 0.0

    @property
    def factor(self) -> float:
        """Used tokens for each estimated one."""
        return self._used / self._estimated if self._estimated else 1.0

    def charge(self, estimated: int) -> float:
        """Tokens to charge for a request that starts now."""
        charged = estimated * self.factor
        self._estimated_open += estimated
        self._charged_open += charged
        return charged

    def close(self, estimated: int) -> float:
        """Tokens that a request which has ended had been charged."""
        if estimated > self._estimated_open:  # charged by a governor that is no more
            return estimated * self.factor
        charged = estimated * self._charged_open / self._estimated_open if self._estimated_open else 0.0
        self._estimated_open -= estimated
        self._charged_open -= charged
        return charged

    def learn(self, estimated: int, used: int) -> None:
        """A request was answered. One that failed teaches nothing."""
        if not self._estimated:
            self._estimated = self._used = FIRST_TRUST * estimated
        self._estimated = MEMORY * self._estimated + estimated
        self._used = MEMORY * self._used + used
