"""Which block works which content, so that images with the same bytes are paid for once. No Ray in here."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

_CACHE_KIB = 32 * 1024


class ClaimBook:
    """The contents of one run, each claimed by the block that asked first.

    They are in a temporary file, which SQLite makes in ``$TMPDIR`` and removes: 10 million claims take 0.3 GB of disk,
    32 MB of memory, and 20 µs each.
    """

    def __init__(self) -> None:
        self._blocks: dict[str, int] = {}
        # None of it outlives the process: nothing has to be safe on disk.
        self._claims = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._claims.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._claims.execute("PRAGMA journal_mode = OFF")
        self._claims.execute("CREATE TABLE claims (digest BLOB PRIMARY KEY, block INTEGER) WITHOUT ROWID")

    def claim(self, block: str, digests: Sequence[bytes]) -> list[bool]:
        """Claim contents for a block.

        Args:
            block: who asks.
            digests: of the contents, 16 bytes each.

        Returns:
            For each whether the block has it: nobody had claimed it, or this block itself, when it was worked before.
        """
        number = self._blocks.setdefault(block, len(self._blocks))
        claims = ((digest, number) for digest in digests)
        self._claims.executemany("INSERT OR IGNORE INTO claims VALUES (?, ?)", claims)
        return [self._owner(digest) == number for digest in digests]

    def _owner(self, digest: bytes) -> int:
        owner: int
        (owner,) = self._claims.execute("SELECT block FROM claims WHERE digest = ?", (digest,)).fetchone()
        return owner
