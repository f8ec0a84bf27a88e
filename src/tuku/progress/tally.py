"""The numbers behind every display: rows, rates and what is left, on a clock that never goes back."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

WINDOW_S = 30.0
"""A rate is that of the last half minute: long enough to be calm, short enough to show that a quota bites."""


@dataclass
class StageTally:
    """What one stage has done so far.

    Attributes:
        started_s: when rows could first reach it, on the run's monotonic clock.
        rows: left the stage, failed ones included.
        failed: failed in this stage.
    """

    started_s: float
    rows: int = 0
    failed: int = 0
    last_s: float = 0.0
    _recent: deque[tuple[float, int]] = field(default_factory=deque)

    def add(self, rows: int, failed: int, now_s: float) -> None:
        """Count rows that left the stage at `now_s`."""
        self.rows += rows
        self.failed += failed
        self.last_s = now_s
        self._recent.append((now_s, self.rows))
        while len(self._recent) > 1 and self._recent[1][0] <= now_s - WINDOW_S:
            self._recent.popleft()

    def rows_per_s(self, now_s: float) -> float:
        """Rate over the last `WINDOW_S` seconds; it falls while nothing happens."""
        since_s, before = self.started_s, 0
        for moment_s, rows in self._recent:
            if moment_s > now_s - WINDOW_S:
                break
            since_s, before = moment_s, rows
        return (self.rows - before) / (now_s - since_s) if now_s > since_s else 0.0

    def average_rows_per_s(self) -> float:
        """Rate from the first row to the last one so far."""
        elapsed_s = self.last_s - self.started_s
        return self.rows / elapsed_s if elapsed_s > 0 else 0.0


@dataclass
class Tally:
    """What the whole pipeline has done so far; `total_rows` is None when nobody knows."""

    started_s: float
    total_rows: int | None = None
    stages: dict[str, StageTally] = field(default_factory=dict)

    def add(self, stage: str, rows: int, failed: int, now_s: float) -> None:
        """Count rows that left a stage; a stage is known from its first rows on."""
        self.stages.setdefault(stage, StageTally(self.started_s)).add(rows, failed, now_s)

    def done(self, stage: StageTally) -> bool:
        """Whether every row has left the stage."""
        return self.total_rows is not None and stage.rows >= self.total_rows

    def eta_s(self, stage: StageTally, now_s: float) -> float | None:
        """Seconds until every row has left the stage; None when that cannot be said."""
        rate = stage.rows_per_s(now_s)
        if self.total_rows is None or not rate:
            return None
        return max(0, self.total_rows - stage.rows) / rate

    def slowest_eta_s(self, now_s: float) -> float | None:
        """Seconds until the pipeline is through: the stage that needs longest decides."""
        etas = [self.eta_s(stage, now_s) for stage in self.stages.values() if not self.done(stage)]
        known = [eta for eta in etas if eta is not None]
        return max(known) if known and len(known) == len(etas) else None
