"""Caption: what a model says of each picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from tuku.errors import RowError
from tuku.protocols import Caption, Captioner
from tuku.schemas import CAPTIONED
from tuku.stages.fingerprints import NO_CAPTION
from tuku.stages.outcome import Outcome, advance, alive
from tuku.stages.paid import Keep, PaidAnswers, forget
from tuku.stages.pictures import pictures


def caption_batch(
    batch: pa.Table, captioner: Captioner | None, fingerprint: str, paid: PaidAnswers, keep: Keep = forget
) -> pa.Table:
    """Add caption, keywords and where they come from.

    Args:
        batch: n rows in schema `DECODED`.
        captioner: None for a catalogue without captions: they stay empty.
        fingerprint: of this captioner as configured (see `fingerprints`).
        paid: captions that need not be asked for.
        keep: what is done with each caption as soon as it has come.

    Returns:
        n rows in schema `CAPTIONED`, in order.
    """
    positions = alive(batch)
    if captioner is None:
        empty = {"caption": "", "keywords": [], "caption_model": NO_CAPTION, "caption_fingerprint": fingerprint}
        return advance(batch, "caption", CAPTIONED, positions, [empty] * len(positions))
    digests = batch.column("content_sha256").to_pylist()
    known = {i: paid.caption(digests[i], fingerprint) for i in positions}
    asked = [i for i in positions if known[i] is None]

    def heard(number: int, caption: Caption) -> None:
        answer = {"content_sha256": digests[asked[number]], "caption_fingerprint": fingerprint}
        keep({**answer, "caption": caption.text, "keywords": list(caption.keywords)})

    answers = dict(zip(asked, captioner.caption(pictures(batch, asked), heard) if asked else [], strict=True))
    stamp = {"caption_model": captioner.description.name, "caption_fingerprint": fingerprint}
    outcomes = [_outcome(known[i] or answers[i], stamp) for i in positions]
    return advance(batch, "caption", CAPTIONED, positions, outcomes)


def _outcome(answer: Mapping[str, Any] | Caption | RowError, stamp: Mapping[str, str]) -> Outcome:
    if isinstance(answer, RowError):
        return answer
    if isinstance(answer, Caption):
        answer = {"caption": answer.text, "keywords": list(answer.keywords)}
    return {**answer, **stamp}
