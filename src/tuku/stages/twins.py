"""Twins: rows with the same bytes share one caption and one vector, so all but one of them are set aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from tuku.errors import SAME_CONTENT, RowError
from tuku.schemas import FETCHED
from tuku.stages.outcome import advance, alive

_TWIN = RowError(SAME_CONTENT, "Another image has the same content.")
_DIGEST_BYTES = 16

CAPTION, VECTORS = 1, 2
"""Answers for a content: the caption, and all vectors that are configured."""
_ANSWERS = CAPTION | VECTORS


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
    """The contents that the lake has answers for, by the models that are configured.

    Attributes:
        keys: see `content_keys`: uint64 (n,), sorted. 62 bits are enough: a content that only seems to be there is set
            aside, not found, and then worked.
    """

    keys: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64), repr=False)

    def have(self, digests: Sequence[str], answers: Sequence[int]) -> list[bool]:
        """For each SHA-256 in hex, whether there is one of these answers (`CAPTION` | `VECTORS`) for it."""
        wanted = np.array(answers, np.uint64)
        found = np.zeros(len(digests), bool)
        for kind in (CAPTION, VECTORS, CAPTION | VECTORS):
            found |= (wanted & np.uint64(kind)).astype(bool) & self._hold(content_keys(digests, np.uint64(kind)))
        return [bool(there) for there in found]

    def _hold(self, keys: np.ndarray) -> np.ndarray:
        places = np.searchsorted(self.keys, keys)
        found: np.ndarray = places < len(self.keys)
        found[found] = self.keys[places[found]] == keys[found]
        return found


def content_keys(digests: Sequence[str], answers: np.ndarray | np.uint64) -> np.ndarray:
    """What contents are told by: the upper 62 bits of their digests, and which answers there are.

    Args:
        digests: n SHA-256 in hex.
        answers: `CAPTION` | `VECTORS`: integers (n,), or one for all.

    Returns:
        uint64 (n,), the answers in the two lowest bits.
    """
    keys = np.fromiter((int(digest[:16], 16) & ~_ANSWERS for digest in digests), np.uint64, len(digests))
    told: np.ndarray = keys | np.asarray(answers, np.uint64)
    return told


def set_twins_aside(batch: pa.Table, contents: Contents, claims: Claims) -> pa.Table:
    """End the way of rows whose content is known or in work, as ``same_content``.

    Args:
        batch: n rows in schema `FETCHED`.
        contents: what the lake has. A row that brings answers for its content goes on, unless another of the lake's has
            one that it lacks.
        claims: what the run has.

    Returns:
        n rows in schema `FETCHED`, in order.
    """
    positions = alive(batch)
    rows = batch.select(["content_sha256", "known_content", "known_answers"]).take(pa.array(positions, pa.int64()))
    digests = rows.column("content_sha256").to_pylist()
    known = contents.have(digests, [_lacking(row) for row in rows.to_pylist()])
    left = [i for i, there in enumerate(known) if not there]
    granted = claims.claim([bytes.fromhex(digests[i])[:_DIGEST_BYTES] for i in left])
    going_on = {positions[i] for i, mine in zip(left, granted, strict=True) if mine}
    aside = [i for i in positions if i not in going_on]
    return advance(batch, "twins", FETCHED, aside, [_TWIN] * len(aside))


def _lacking(row: Mapping[str, Any]) -> int:
    own = row["content_sha256"] == row["known_content"]
    return _ANSWERS & ~row["known_answers"] if own else _ANSWERS
