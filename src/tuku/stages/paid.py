"""Answers that were paid for: kept when their rows did not succeed, and not asked for again."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tuku.protocols import Vector
from tuku.schemas import PAID

Keep = Callable[[Mapping[str, Any]], None]
"""Makes an answer durable: columns of schema `PAID`, a vector as float32 (dim,). Called in any thread; never raises."""

_Key = tuple[str, str]
"""What was asked about (content or caption), and the model's fingerprint."""


def forget(answer: Mapping[str, Any]) -> None:
    """A `Keep` for answers that cost nothing."""


class PaidAnswers:
    """Answers by what they answer. Safe to read and to add to from several threads.

    Memory: the tables themselves, of which nothing is copied but the short strings, and some 500 bytes an answer. A
    key leads to a value that is whole in itself, so who looks while another adds finds the older answer or the newer.
    """

    def __init__(self) -> None:
        self._captions: ChainMap[_Key, tuple[str, pa.Array, int]] = ChainMap()
        self._images: ChainMap[_Key, tuple[_Vectors, int]] = ChainMap()
        self._texts: ChainMap[_Key, tuple[_Vectors, int]] = ChainMap()

    @classmethod
    def of(cls, tables: Iterable[pa.Table]) -> PaidAnswers:
        """Read tables of schema `PAID`, oldest first."""
        answers = cls()
        for table in tables:
            answers.add(table)
        return answers

    def add(self, table: pa.Table) -> None:
        """Know these answers (schema `PAID`) too; they take the place of those known before."""
        for batch in table.select(PAID.names).to_batches():
            self._add(batch)

    def plus(self, table: pa.Table) -> PaidAnswers:
        """These answers (schema `PAID`) before all that are known here, now or later; nothing is added here."""
        answers = PaidAnswers()
        answers._captions = self._captions.new_child()
        answers._images = self._images.new_child()
        answers._texts = self._texts.new_child()
        answers.add(table)
        return answers

    def caption(self, content_sha256: str, fingerprint: str) -> Mapping[str, Any] | None:
        """Columns ``caption`` and ``keywords`` for this content by this captioner, or None."""
        found = self._captions.get((content_sha256, fingerprint))
        if found is None:
            return None
        text, keywords, row = found
        return {"caption": text, "keywords": keywords[row].as_py()}

    def image(self, content_sha256: str, fingerprint: str) -> Vector | None:
        """This content's vector by this embedder, float32 (dim,), or None."""
        return _vector(self._images.get((content_sha256, fingerprint)))

    def text(self, caption: str, fingerprint: str) -> Vector | None:
        """This caption's vector by this embedder, float32 (dim,), or None."""
        return _vector(self._texts.get((caption, fingerprint)))

    def _add(self, batch: pa.RecordBatch) -> None:
        contents, captions = batch.column("content_sha256").to_pylist(), batch.column("caption").to_pylist()
        captioners, embedders = (batch.column(f"{name}_fingerprint").to_pylist() for name in ("caption", "embedding"))
        keywords = batch.column("keywords")
        images, texts = (_Vectors(batch.column(f"{name}_embedding")) for name in ("image", "text"))
        for row in _filled(batch, "content_sha256", "caption", "caption_fingerprint"):
            self._captions[contents[row], captioners[row]] = captions[row], keywords, row
        for row in _filled(batch, "content_sha256", "image_embedding", "embedding_fingerprint"):
            self._images[contents[row], embedders[row]] = images, row
        for row in _filled(batch, "caption", "text_embedding", "embedding_fingerprint"):
            self._texts[captions[row], embedders[row]] = texts, row


class _Vectors:
    """The vectors of a column of type list<float32>, as views of its memory: Arrow's own scalars are copies."""

    def __init__(self, column: pa.Array) -> None:
        self._bounds = column.offsets.to_numpy()
        self._numbers = column.values.to_numpy()

    def __getitem__(self, row: int) -> Vector:
        vector: Vector = self._numbers[self._bounds[row] : self._bounds[row + 1]]
        return vector


def _vector(found: tuple[_Vectors, int] | None) -> Vector | None:
    return None if found is None else found[0][found[1]]


def _filled(batch: pa.RecordBatch, *columns: str) -> list[int]:
    """The rows in which none of these columns is null."""
    valid = [batch.column(name).is_valid().to_numpy(zero_copy_only=False) for name in columns]
    rows: list[int] = np.flatnonzero(np.logical_and.reduce(valid)).tolist()
    return rows


def known_answers(work: pa.Table) -> pa.Table:
    """What the lake has of the images of some rows (schema `WORK`); schema `PAID`."""
    known = work.column("known").drop_null()
    return pa.table([pc.struct_field(known, field.name) for field in PAID], schema=PAID)


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
