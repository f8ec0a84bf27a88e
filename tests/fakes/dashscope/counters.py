"""What the control page tells of one model."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fakes.dashscope.asked import Asked
from fakes.dashscope.ledger import Ledger
from fakes.dashscope.windows import Peaks


class ModelCounters:
    """Everything since the start or the last reset, at `started` (s, on the clock of all the times given here)."""

    def __init__(self, started: float) -> None:
        self._started = started
        self.items = Ledger()
        self.requests = self.accepted = self.answered = 0
        self.refused: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.in_flight = self.in_flight_peak = 0
        self.input_tokens = self.output_tokens = 0
        self._arriving, self._accepting, self._tokens = Peaks(), Peaks(), Peaks()
        self._timeline: dict[str, Counter[int]] = {"accepted": Counter(), "refused": Counter()}

    def arrive(self, now: float) -> None:
        """A valid request is there."""
        self.requests += 1
        self._arriving.add(1, now)

    def refuse(self, code: str, now: float) -> None:
        """It is one too many."""
        self.refused[code] += 1
        self._timeline["refused"][int(now - self._started)] += 1

    def accept(self, endpoint: str, asked: Asked, now: float) -> None:
        """It is let in."""
        self.accepted += 1
        self.in_flight += 1
        self.in_flight_peak = max(self.in_flight_peak, self.in_flight)
        self._accepting.add(1, now)
        self._tokens.add(asked.input_tokens, now)
        self._timeline["accepted"][int(now - self._started)] += 1
        self.items.accept(endpoint, asked, now)

    def bill(self, asked: Asked, output_tokens: int, now: float) -> None:
        """An answer has been made, whatever becomes of it on its way."""
        self.input_tokens += asked.input_tokens
        self.output_tokens += output_tokens
        self._tokens.add(output_tokens, now)

    def page(self, now: float) -> dict[str, Any]:
        """For the control page."""
        seconds = int(now - self._started) + 1
        return {
            "requests": self.requests,
            "accepted": self.accepted,
            "answered": self.answered,
            "refused": dict(self.refused),
            "failed": dict(self.failed),
            "faults": dict(self.faults),
            "in_flight": self.in_flight,
            "in_flight_peak": self.in_flight_peak,
            "peaks": {
                "arriving": self._arriving.page(),
                "accepted": self._accepting.page(),
                "tokens": self._tokens.page(),
            },
            "usage": {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens},
            "items": self.items.page(),
            "timeline": {
                name: [counts[second] for second in range(seconds)] for name, counts in self._timeline.items()
            },
        }
