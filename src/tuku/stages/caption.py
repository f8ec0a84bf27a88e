"""Caption: what a model says of each picture."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from tuku.errors import RowError
from tuku.protocols import Caption, Captioner
from tuku.schemas import CAPTIONED
from tuku.stages.fingerprints import NO_CAPTION
from tuku.stages.outcome import Outcome, advance, alive
from tuku.stages.pictures import pictures


def caption_batch(batch: pa.Table, captioner: Captioner | None, fingerprint: str) -> pa.Table:
    """Add caption, keywords and where they come from.

    Args:
        batch: n rows in schema `DECODED`.
        captioner: None for a catalogue without captions: they stay empty.
        fingerprint: of this captioner as configured (see `fingerprints`).

    Returns:
        n rows in schema `CAPTIONED`, in order.
    """
    positions = alive(batch)
    if captioner is None:
        empty = {"caption": "", "keywords": [], "caption_model": NO_CAPTION, "caption_fingerprint": fingerprint}
        return advance(batch, "caption", CAPTIONED, positions, [empty] * len(positions))
    answers = captioner.caption(pictures(batch, positions)) if positions else []
    model = captioner.description.name
    return advance(batch, "caption", CAPTIONED, positions, _outcomes(answers, model, fingerprint))


def _outcomes(answers: list[Caption | RowError], model: str, fingerprint: str) -> Iterator[Outcome]:
    for answer in answers:
        if isinstance(answer, RowError):
            yield answer
        else:
            yield {
                "caption": answer.text,
                "keywords": list(answer.keywords),
                "caption_model": model,
                "caption_fingerprint": fingerprint,
            }
