"""Whether the holder of a lease lives: by whether what it writes changes while one looks, not by anybody's clock."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class LeaseTimes:
    """How patient everybody is, seconds.

    Attributes:
        beat_s: the holder renews its lease so often.
        lost_after_s: a holder that could not renew it for so long gives up; less than `dead_after_s`, so that it
            does so before others take over.
        dead_after_s: a lease that did not change for so long is taken over.
        look_s: those who want it look so often.
    """

    beat_s: float = 2.0
    lost_after_s: float = 10.0
    dead_after_s: float = 15.0
    look_s: float = 0.25


USUAL_TIMES = LeaseTimes()


class Watch:
    """Looks at somebody else's lease again and again.

    Attributes:
        alive: it has changed while we looked.
        dead: it has not, for too long.
    """

    def __init__(self, times: LeaseTimes) -> None:
        self.alive = False
        self.dead = False
        self._times = times
        self._last: bytes | None = None
        self._looked = 0.0
        self._unmoved_s = 0.0

    def look(self, content: bytes) -> None:
        """Take note of what the lease says now."""
        now = time.monotonic()
        if content != self._last:
            self.alive = self._last is not None
            self._last, self._unmoved_s = content, 0.0
        else:
            # While this process itself stood still it saw nothing, and the holder may have stood still with it.
            self._unmoved_s += min(now - self._looked, 4 * self._times.look_s)
        self._looked = now
        self.dead = self._unmoved_s >= self._times.dead_after_s
