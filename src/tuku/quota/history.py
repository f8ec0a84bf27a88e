"""What was sent and what of it was refused, in the last minute, and what that says of the service."""

from __future__ import annotations

import math
from collections import deque

KEPT_S = 30.0
"""Refusals further apart do not belong together."""

MINUTE_S = 60.0
"""The longest time that services count in; nothing older is kept."""

RATE_S = 2.0

JITTER_S = 8.0
JITTER_PART = 0.002
"""As long as no more than this part is refused, it is jitter and not the limit."""

LEAST_SHUT = 7
SHUT_S = 0.3
SHUT_PART = 0.85
"""A service that refuses this part of the last so many requests, and of so many seconds, is shut: nothing is left."""

LEAST_MEASURED = 5
"""From so many requests on, a rate is measured."""


class History:
    """Requests of one dimension by the moment of their turn."""

    def __init__(self) -> None:
        self._sent: deque[tuple[float, float]] = deque()
        self._refused: deque[float] = deque()
        self.last_amount = 1.0

    def sent(self, start_s: float, amount: float) -> None:
        """A request has its turn at `start_s`, at or after all others."""
        self._sent.append((start_s, amount))
        self.last_amount = amount or self.last_amount
        while self._sent[0][0] <= start_s - MINUTE_S:
            self._sent.popleft()

    def refused(self, sent_s: float) -> None:
        """A request sent then was refused."""
        self._refused.append(sent_s)
        while self._refused[0] <= sent_s - MINUTE_S:
            self._refused.popleft()

    def rate(self, now_s: float) -> float:
        """Amount a second over the last `RATE_S`."""
        amounts = [amount for start_s, amount in self._sent if now_s - RATE_S < start_s <= now_s]
        return max(sum(amounts), self.last_amount) / RATE_S

    def accepted_rate(self, since_s: float, until_s: float) -> float | None:
        """Amount a second that was not refused, as far as is known; None if that is too long ago or too little.

        Between two refusals this is what the service allows: it had nothing left at both moments.
        """
        if until_s - since_s > KEPT_S:
            return None
        return self._measured(since_s, until_s)

    def minute_rate(self, until_s: float) -> float:
        """Amount a second that was not refused in the last minute: no quota that has stood for one is less."""
        return self._measured(until_s - MINUTE_S, until_s) or 0.0

    def is_jitter(self, sent_s: float) -> bool:
        """Whether a refusal of a request sent then is one of very few."""
        sent = sum(1 for start_s, _ in self._sent if start_s > sent_s - JITTER_S)
        return self._refusals(sent_s - JITTER_S, math.inf) <= JITTER_PART * sent

    def is_shut(self, sent_s: float) -> bool:
        """Whether nearly all were refused of the last requests up to `sent_s`."""
        number, since_s = 0, sent_s
        for start_s, _ in reversed(self._sent):
            if number >= LEAST_SHUT and start_s < sent_s - SHUT_S:
                break
            if start_s <= sent_s:
                number, since_s = number + 1, start_s
        before = math.nextafter(since_s, -math.inf)
        return number >= LEAST_SHUT and self._refusals(before, sent_s) >= SHUT_PART * number

    def _measured(self, since_s: float, until_s: float) -> float | None:
        amounts = [amount for start_s, amount in self._sent if since_s < start_s <= until_s]
        if len(amounts) < LEAST_MEASURED:
            return None
        accepted = max(0, len(amounts) - self._refusals(since_s, until_s))
        return sum(amounts) * accepted / len(amounts) / (until_s - since_s)

    def _refusals(self, since_s: float, until_s: float) -> int:
        return sum(1 for sent_s in self._refused if since_s < sent_s <= until_s)
