"""Who asks for turns, and what is fair among them."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

FORGOTTEN_S = 1.0
"""A client that does not come back within so long after it was told to is not waited for."""

LEAST_AGAIN_S = 0.01
MOST_AGAIN_S = 1.0
"""Bounds of how long a client waits before it asks again: the rate may have risen meanwhile."""


@dataclass
class Asker:
    """One client: its turns to come, and until when it counts as one that wants more."""

    expected_s: float = 0.0
    served_s: float = 0.0
    turns: deque[tuple[float, float]] = field(default_factory=deque)

    def give(self, start_s: float, lasts_s: float) -> None:
        """A turn; nobody else has one in the `lasts_s` after its start."""
        self.turns.append((start_s, lasts_s))
        self.served_s = start_s

    def ahead_s(self, now_s: float) -> float:
        """How much time its turns to come take up."""
        while self.turns and self.turns[0][0] <= now_s:
            self.turns.popleft()
        return sum(lasts_s for _, lasts_s in self.turns)

    def down_to_s(self, left_s: float) -> float:
        """The moment from which its turns to come take up no more than this."""
        for start_s, lasts_s in reversed(self.turns):
            left_s -= lasts_s
            if left_s < 0:
                return start_s
        return -math.inf


class Askers:
    """All clients; each may hold turns for its part of the horizon, and for one request at least."""

    def __init__(self, horizon_s: float) -> None:
        self._horizon_s = horizon_s
        self._askers: dict[str, Asker] = {}

    def visit(self, client: str, now_s: float) -> Asker:
        """The client, which asks now; those that have not been heard of for long are forgotten."""
        for name in [name for name, asker in self._askers.items() if asker.expected_s < now_s]:
            if not self._askers[name].ahead_s(now_s):
                del self._askers[name]
        asker = self._askers.setdefault(client, Asker())
        asker.expected_s = now_s + FORGOTTEN_S
        return asker

    def may_have_more(self, asker: Asker, now_s: float) -> bool:
        """Whether another turn leaves the others theirs."""
        return not asker.turns or asker.ahead_s(now_s) < self._horizon_s / len(self._askers)

    def again_s(self, asker: Asker, now_s: float, free_s: float) -> float:
        """Seconds after which it is worth asking again: those served least lately come first."""
        room_s = free_s - self._horizon_s - now_s
        half_used_s = asker.down_to_s(0.5 * self._horizon_s / len(self._askers)) - now_s
        before = sum(1 for other in self._askers.values() if other.served_s < asker.served_s)
        wait_s = max(LEAST_AGAIN_S, room_s, half_used_s) + (before * LEAST_AGAIN_S if room_s > 0 else 0.0)
        wait_s = min(wait_s, MOST_AGAIN_S)
        asker.expected_s = now_s + wait_s + FORGOTTEN_S
        return wait_s
