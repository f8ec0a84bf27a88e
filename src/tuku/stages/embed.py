"""Embed: pictures and captions become vectors of one space."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import pyarrow as pa

from tuku.errors import RowError
from tuku.protocols import Embedder, Vector, VectorHeard
from tuku.schemas import EMBEDDED
from tuku.stages.outcome import Outcome, Partial, advance, alive
from tuku.stages.paid import Keep, PaidAnswers, forget
from tuku.stages.pictures import pictures

_Vectors = Mapping[int, Vector | RowError]
"""By position in the batch."""


def embed_batch(
    batch: pa.Table,
    embedder: Embedder,
    vectors: Sequence[str],
    fingerprint: str,
    paid: PaidAnswers,
    keep: Keep = forget,
) -> pa.Table:
    """Add the vectors that are configured and drop the pixels.

    Args:
        batch: n rows in schema `CAPTIONED`.
        embedder: fills the vectors.
        vectors: ``image``, ``text`` or both; ``text`` is the caption's.
        fingerprint: of this embedder as configured (see `fingerprints`).
        paid: vectors that need not be asked for.
        keep: what is done with each vector as soon as it has come.

    Returns:
        n rows in schema `EMBEDDED`, in order. A row that lacks one of its vectors failed; it keeps the other.
    """
    positions = alive(batch)
    digests, captions = batch.column("content_sha256").to_pylist(), batch.column("caption").to_pylist()
    images: _Vectors = {}
    texts: _Vectors = {}

    def keep_image(i: int, vector: Vector) -> None:
        keep({"content_sha256": digests[i], "image_embedding": vector, "embedding_fingerprint": fingerprint})

    def keep_text(i: int, vector: Vector) -> None:
        answer = {"text_embedding": vector, "embedding_fingerprint": fingerprint}
        keep({"content_sha256": digests[i], "caption": captions[i], **answer})

    if "image" in vectors:
        known = {i: paid.image(digests[i], fingerprint) for i in positions}
        images = _filled(known, lambda asked, heard: embedder.embed_pictures(pictures(batch, asked), heard), keep_image)
    if "text" in vectors:
        # A row without its picture's vector fails anyhow: its caption's is not paid for.
        wanted = [i for i in positions if not isinstance(images.get(i), RowError)]
        known = {i: paid.text(captions[i], fingerprint) for i in wanted}
        texts = _filled(
            known, lambda asked, heard: embedder.embed_passages([captions[i] for i in asked], heard), keep_text
        )
    stamp = {"embed_model": embedder.description.name, "embedding_fingerprint": fingerprint}
    outcomes = (_outcome({"image_embedding": images.get(i), "text_embedding": texts.get(i)}, stamp) for i in positions)
    return advance(batch, "embed", EMBEDDED, positions, outcomes)


def _filled(
    known: Mapping[int, Vector | None],
    ask: Callable[[list[int], VectorHeard], Iterable[Vector | RowError]],
    keep: VectorHeard,
) -> dict[int, Vector | RowError]:
    """What is known, and for the rest what is answered."""
    filled: dict[int, Vector | RowError] = {i: vector for i, vector in known.items() if vector is not None}
    asked = [i for i in known if i not in filled]
    if asked:
        answers = ask(asked, lambda number, vector: keep(asked[number], vector))
        filled.update(zip(asked, answers, strict=True))
    return filled


def _outcome(vectors: Mapping[str, Vector | RowError | None], stamp: Mapping[str, str]) -> Outcome:
    failure = next((vector for vector in vectors.values() if isinstance(vector, RowError)), None)
    if failure is None:
        return {**vectors, **stamp}
    gained = {name: vector for name, vector in vectors.items() if not isinstance(vector, RowError)}
    return Partial(failure, {**gained, **stamp}) if any(v is not None for v in gained.values()) else failure
