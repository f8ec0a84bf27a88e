"""Which contents a block works: no other block of the run, and none of them for two rows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence


class BlockClaims:
    """Implements `tuku.stages.twins.Claims` for one try at one block. Safe to call from several threads.

    The run's ledger lets a block that is worked again, because its worker was lost, keep what it had claimed; so the
    ledger cannot tell two rows of a block apart, and it is here that the first one wins.

    Args:
        claim: of the run's ledger, for this block.
    """

    def __init__(self, claim: Callable[[list[bytes]], list[bool]]) -> None:
        self._claim = claim
        self._seen: set[bytes] = set()
        self._lock = threading.Lock()

    def claim(self, digests: Sequence[bytes]) -> list[bool]:
        """For each content (the first 16 bytes of its SHA-256), whether it is this row's to work."""
        first = {}
        with self._lock:
            for position, digest in enumerate(digests):
                if digest not in self._seen:
                    self._seen.add(digest)
                    first[position] = digest
        granted = dict(zip(first, self._claim(list(first.values())) if first else [], strict=True))
        return [granted.get(position, False) for position in range(len(digests))]
