"""A quota for one process: for searching, for `tuku doctor`, and for tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tuku.quota.governor import Governor
from tuku.quota.leases import LeasedQuota
from tuku.quota.messages import Grant, Refusal, Settlement


class LocalQuota(LeasedQuota):
    """Implements `tuku.protocols.Quota` around a governor of its own. Belongs to one event loop.

    Args:
        governor: gives out the turns.
        clock: monotonic seconds.
        client: this process's name, if several quotas share the governor.
    """

    def __init__(self, governor: Governor, clock: Callable[[], float] = time.monotonic, client: str = "") -> None:
        async def lease(wanted: Sequence[int]) -> Grant:
            return governor.lease(clock(), client, wanted)

        async def report(settled: Sequence[Settlement], refused: Sequence[Refusal]) -> None:
            governor.report(clock(), settled, refused)

        super().__init__(lease, report)
