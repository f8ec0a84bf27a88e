"""Twins: rows with the same bytes share one caption and one vector, so all but one of them are set aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa

from tuku.errors import SAME_CONTENT, RowError
from tuku.schemas import FETCHED
from tuku.stages.outcome import advance, alive

_TWIN = RowError(SAME_CONTENT, "Another image has the same content.")
_DIGEST_BYTES = 16


class Claims(Protocol):
    """Who works which content, across all workers of a run."""

    def claim(self, digests: Sequence[bytes]) -> list[bool]:
        """For each content (the first 16 bytes of its SHA-256), whether it is the caller's to work."""
        ...


class NoClaims:
    """Where nobody else works."""

    def claim(self, digests: Sequence[bytes]) -> list[bool]:
        """Everything is the caller's."""
        return [True] * len(digests)


@dataclass(frozen=True)
class Contents:
    """The contents that the lake has answers for.

    Attributes:
        keys: the upper 64 bits of their digests: uint64 (n,), sorted. That is enough: a content that only seems to be
            there is set aside, not found, and then worked.
    """

    keys: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64), repr=False)

    @classmethod
    def of(cls, digests: Sequence[str]) -> Contents:
        """From SHA-256 digests in hex, in any order."""
        return cls(np.unique(content_keys(digests)))

    def holds(self, digests: Sequence[str]) -> list[bool]:
        """For each SHA-256 in hex, whether it is among them."""
        keys = content_keys(digests)
        places = np.searchsorted(self.keys, keys)
        found = places < len(self.keys)
        found[found] = self.keys[places[found]] == keys[found]
        return [bool(there) for there in found]


def content_keys(digests: Sequence[str]) -> np.ndarray:
    """The upper 64 bits of SHA-256 digests in hex: uint64 (n,)."""
    return np.fromiter((int(digest[:16], 16) for digest in digests), np.uint64, len(digests))


def set_twins_aside(batch: pa.Table, contents: Contents, claims: Claims) -> pa.Table:
    """End the way of rows whose content is known or in work, as ``same_content``.

    Args:
        batch: n rows in schema `FETCHED`.
        contents: what the lake has. A row whose own content is that of the lake's row goes on: it has its answers.
        claims: what the run has.

    Returns:
        n rows in schema `FETCHED`, in order.
    """
    positions = alive(batch)
    digests = batch.column("content_sha256").to_pylist()
    own = batch.column("known_content").to_pylist()
    strange = [i for i in positions if digests[i] != own[i]]
    twins = {i for i, there in zip(strange, contents.holds([digests[i] for i in strange]), strict=True) if there}
    left = [i for i in positions if i not in twins]
    granted = claims.claim([bytes.fromhex(digests[i])[:_DIGEST_BYTES] for i in left])
    twins.update(i for i, mine in zip(left, granted, strict=True) if not mine)
    aside = sorted(twins)
    return advance(batch, "twins", FETCHED, aside, [_TWIN] * len(aside))
