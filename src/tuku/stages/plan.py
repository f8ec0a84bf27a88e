"""Plan: what the lake knows already is left alone; the rest becomes work."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from tuku.errors import RowError
from tuku.schemas import ROWS
from tuku.stages.fingerprints import source_fingerprint
from tuku.stages.outcome import Outcome, advance, alive

Class = Literal["new", "changed", "unchanged", "duplicates", "failed"]

KNOWN_COLUMNS = ["image_id", "uri", "metadata", "source_fingerprint", "caption_fingerprint", "embedding_fingerprint"]
"""What the planner needs of the lake's current view."""


@dataclass
class Known:
    """What the lake holds, as one 16-byte digest for each image.

    Memory: about 170 bytes an image, and the planner keeps id and URI of each manifest row besides; planning on the
    cluster replaces both where that is too much.
    """

    digests: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, batches: Iterable[pa.Table]) -> Known:
        """Read the current view (tables with `KNOWN_COLUMNS`)."""
        known = cls()
        for batch in batches:
            columns = [batch.column(name).to_pylist() for name in KNOWN_COLUMNS]
            for image_id, *state in zip(*columns, strict=True):
                known.digests[image_id] = _digest(state)
        return known


@dataclass
class Planner:
    """Sorts manifest rows into new, changed, unchanged, duplicates and failed.

    Args:
        known: the lake's current view.
        caption_fingerprint: of the captioner that is configured now.
        embedding_fingerprint: of the embedder that is configured now.
    """

    known: Known
    caption_fingerprint: str
    embedding_fingerprint: str
    counts: Counter[str] = field(default_factory=Counter)
    _uris: dict[str, str] = field(default_factory=dict)

    def plan(self, batch: pa.Table) -> pa.Table:
        """The rows of a manifest batch that need work or have failed already, source fingerprints filled.

        Args:
            batch: n rows in schema `ROWS`.

        Returns:
            At most n rows in schema `ROWS`; unchanged rows and duplicates are only counted.
        """
        positions = alive(batch)
        ids = batch.column("image_id").to_pylist()
        uris = batch.column("uri").to_pylist()
        metadata = batch.column("metadata").to_pylist()
        classes: list[Class] = ["failed"] * batch.num_rows
        outcomes: list[Outcome] = []
        for i in positions:
            fingerprint = source_fingerprint(uris[i])
            outcome: Outcome = {"source_fingerprint": fingerprint}
            if ids[i] in self._uris:
                classes[i], outcome = self._repeated(ids[i], uris[i], outcome)
            else:
                self._uris[ids[i]] = uris[i]
                classes[i] = self._classify(ids[i], [uris[i], metadata[i], fingerprint])
            outcomes.append(outcome)
        self.counts.update(classes)
        planned = advance(batch, "plan", ROWS, positions, outcomes)
        keep = [i for i, kind in enumerate(classes) if kind not in ("unchanged", "duplicates")]
        return planned if len(keep) == batch.num_rows else planned.take(pa.array(keep, pa.int64()))

    def _repeated(self, image_id: str, uri: str, outcome: Outcome) -> tuple[Class, Outcome]:
        first = self._uris[image_id]
        if first == uri:
            return "duplicates", outcome
        message = f"The id {image_id!r} stands in the manifest twice, first for {first}."
        return "failed", RowError("duplicate_id", message)

    def _classify(self, image_id: str, state: list[str]) -> Class:
        before = self.known.digests.get(image_id)
        if before is None:
            return "new"
        now = _digest([*state, self.caption_fingerprint, self.embedding_fingerprint])
        return "unchanged" if before == now else "changed"


def _digest(state: Iterable[str | None]) -> bytes:
    text = "\0".join(value or "" for value in state)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
