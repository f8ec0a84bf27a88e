"""What a worker process and a `Governor` tell each other.

Moments are told as seconds from now, or ago: every process has a monotonic clock of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from tuku.terms import ThrottleKind


@dataclass(frozen=True)
class Grant:
    """Turns for the first of the requests that were asked for.

    Attributes:
        delays_s: seconds from now to each turn, in the order of the requests; may be fewer than were asked for.
        again_s: in how many seconds it is worth asking for the rest; 0 if nothing is left to ask for.
    """

    delays_s: tuple[float, ...] = ()
    again_s: float = 0.0


@dataclass(frozen=True)
class Settlement:
    """A request has ended, and not by throttling.

    Attributes:
        estimated: tokens it was expected to use.
        used: tokens it did use.
        age_s: seconds since it was sent; None: not known.
    """

    estimated: int
    used: int
    age_s: float | None = None


@dataclass(frozen=True)
class Refusal:
    """A request was throttled.

    Attributes:
        kind: what it was too much of.
        estimated: tokens it was expected to use.
        age_s: seconds since it was sent; None: not known.
        retry_after_s: seconds the service said to wait, if it did.
    """

    kind: ThrottleKind
    estimated: int = 0
    age_s: float | None = None
    retry_after_s: float | None = None
