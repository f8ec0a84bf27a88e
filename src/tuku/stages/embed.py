"""Embed: pictures and captions become vectors of one space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from tuku.errors import RowError
from tuku.protocols import Embedder, Vector
from tuku.schemas import EMBEDDED
from tuku.stages.outcome import Outcome, advance, alive
from tuku.stages.pictures import pictures


def embed_batch(batch: pa.Table, embedder: Embedder, vectors: Sequence[str], fingerprint: str) -> pa.Table:
    """Add the vectors that are configured and drop the pixels.

    Args:
        batch: n rows in schema `CAPTIONED`.
        embedder: fills the vectors.
        vectors: ``image``, ``text`` or both; ``text`` is the caption's.
        fingerprint: of this embedder as configured (see `fingerprints`).

    Returns:
        n rows in schema `EMBEDDED`, in order.
    """
    positions = alive(batch)
    images: list[Vector | RowError | None] = [None] * len(positions)
    texts: list[Vector | RowError | None] = [None] * len(positions)
    if positions and "image" in vectors:
        images = list(embedder.embed_pictures(pictures(batch, positions)))
    if positions and "text" in vectors:
        captions = batch.column("caption").to_pylist()
        texts = list(embedder.embed_passages([captions[i] for i in positions]))
    stamp = {"embed_model": embedder.description.name, "embedding_fingerprint": fingerprint}
    outcomes = _outcomes(images, texts, stamp)
    return advance(batch, "embed", EMBEDDED, positions, outcomes)


def _outcomes(
    images: Sequence[Vector | RowError | None], texts: Sequence[Vector | RowError | None], stamp: dict[str, str]
) -> Iterator[Outcome]:
    for image, text in zip(images, texts, strict=True):
        failure = next((vector for vector in (image, text) if isinstance(vector, RowError)), None)
        yield failure or {"image_embedding": image, "text_embedding": text, **stamp}
