"""Answers that were paid for by rows that failed or were stopped later: kept, and not asked for again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tuku.protocols import Vector
from tuku.schemas import PAID


@dataclass
class PaidAnswers:
    """What earlier runs left, by what it was an answer to. Memory: some kilobytes for each row that did not succeed."""

    captions: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    images: dict[tuple[str, str], Vector] = field(default_factory=dict)
    texts: dict[tuple[str, str], Vector] = field(default_factory=dict)

    @classmethod
    def of(cls, tables: Iterable[pa.Table]) -> PaidAnswers:
        """Read tables of schema `PAID`, oldest first."""
        answers = cls()
        for table in tables:
            for row in table.to_pylist():
                answers._add(row)
        return answers

    def caption(self, content_sha256: str, fingerprint: str) -> Mapping[str, Any] | None:
        """Columns ``caption`` and ``keywords`` for this content by this captioner, or None."""
        return self.captions.get((content_sha256, fingerprint))

    def image(self, content_sha256: str, fingerprint: str) -> Vector | None:
        """This content's vector by this embedder, float32 (dim,), or None."""
        return self.images.get((content_sha256, fingerprint))

    def text(self, caption: str, fingerprint: str) -> Vector | None:
        """This caption's vector by this embedder, float32 (dim,), or None."""
        return self.texts.get((caption, fingerprint))

    def _add(self, row: Mapping[str, Any]) -> None:
        content, caption = row["content_sha256"], row["caption"]
        if caption is not None:
            said = {"caption": caption, "keywords": row["keywords"]}
            self.captions[content, row["caption_fingerprint"]] = said
        embedder = row["embedding_fingerprint"]
        if row["image_embedding"] is not None:
            self.images[content, embedder] = np.asarray(row["image_embedding"], np.float32)
        if row["text_embedding"] is not None and caption is not None:
            self.texts[caption, embedder] = np.asarray(row["text_embedding"], np.float32)


def paid_rows(failed: pa.Table) -> pa.Table:
    """What is worth keeping of rows that failed or were stopped.

    Args:
        failed: rows in schema `EMBEDDED`.

    Returns:
        The rows that had gained anything, schema `PAID`.
    """
    columns = failed.select(PAID.names)
    gained = [pc.is_valid(columns.column(name)) for name in ("caption", "image_embedding", "text_embedding")]
    return columns.filter(pc.or_(pc.or_(gained[0], gained[1]), gained[2]))
