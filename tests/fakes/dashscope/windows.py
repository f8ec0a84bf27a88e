"""Sums over the last so many seconds."""

from __future__ import annotations

from collections import deque


class SlidingSum:
    """The sum of what was added in the last `seconds`; `peak` is the highest it ever was."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._entries: deque[tuple[float, int]] = deque()
        self._sum = 0
        self.peak = 0

    def add(self, amount: int, now: float) -> None:
        """Add `amount` at the time `now` (s, never going back)."""
        self._entries.append((now, amount))
        self._sum += amount
        self.peak = max(self.peak, self.at(now))

    def at(self, now: float) -> int:
        """The sum at the time `now`."""
        while self._entries and self._entries[0][0] <= now - self._seconds:
            self._sum -= self._entries.popleft()[1]
        return self._sum


class Peaks:
    """The highest sums in any second and in any minute."""

    def __init__(self) -> None:
        self._second, self._minute = SlidingSum(1.0), SlidingSum(60.0)

    def add(self, amount: int, now: float) -> None:
        """As `SlidingSum.add`."""
        self._second.add(amount, now)
        self._minute.add(amount, now)

    def page(self) -> dict[str, int]:
        """For the control page."""
        return {"in_1_s": self._second.peak, "in_60_s": self._minute.peak}
