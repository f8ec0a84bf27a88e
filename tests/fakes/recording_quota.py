"""A quota that grants everything, unless it is told not to, and remembers it."""

from __future__ import annotations

import asyncio

from tuku.errors import TukuError
from tuku.terms import Charge, ThrottleKind


class RecordingQuota:
    """Implements `tuku.protocols.Quota`.

    Attributes:
        open: cleared, it grants nothing until it is set.
        acquired: every charge that was granted.
        settled: what was said of each of them; ``throttled`` likewise.
    """

    def __init__(self) -> None:
        self.open: asyncio.Event | None = None
        self.acquired: list[Charge] = []
        self.settled: list[tuple[Charge, Charge]] = []
        self.refused: list[tuple[Charge, ThrottleKind, float | None]] = []
        self.halted: TukuError | None = None

    async def acquire(self, charge: Charge) -> None:
        if self.open is not None:
            await self.open.wait()
        if self.halted is not None:
            raise self.halted
        self.acquired.append(charge)

    def settle(self, charge: Charge, used: Charge) -> None:
        self.settled.append((charge, used))

    def throttled(self, charge: Charge, kind: ThrottleKind, retry_after_s: float | None) -> None:
        self.refused.append((charge, kind, retry_after_s))

    def halt(self, error: TukuError) -> None:
        self.halted = self.halted or error

    @property
    def unsettled(self) -> int:
        """Grants of which nothing was said afterwards."""
        return len(self.acquired) - len(self.settled) - len(self.refused)
