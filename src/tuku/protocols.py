"""What a model looks like from inside the pipeline. Implementations live in `tuku.providers`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from tuku.errors import RowError, TukuError
from tuku.terms import Charge, Terms, ThrottleKind

Pixels = npt.NDArray[np.uint8]
"""RGB picture: uint8 (height, width, 3)."""

Vector = npt.NDArray[np.float32]
"""Embedding: float32 (dim,), L2-normalised."""


@dataclass(frozen=True)
class PictureSize:
    """How much of a picture a model needs; the decoder never enlarges.

    Attributes:
        short_side_px: the short side is reduced to this, or
        long_side_px: the long side is reduced to this. Exactly one of the two is set.
        exact: whether it must be just this; else the model resizes it by itself, and a picture whose sides are at most
            twice as long is left as it is.
    """

    short_side_px: int | None = None
    long_side_px: int | None = None
    exact: bool = True

    def scale(self, width: int, height: int) -> float:
        """Factor in (0, 1] by which a picture of this width and height (px) is reduced."""
        if self.short_side_px is not None:
            return min(1.0, self.short_side_px / min(width, height))
        if self.long_side_px is not None:
            return min(1.0, self.long_side_px / max(width, height))
        return 1.0


@dataclass(frozen=True)
class Picture:
    """A decoded picture on its way to a model.

    Attributes:
        pixels: RGB uint8 (height, width, 3), upright, already reduced (see `PictureSize`).
        content_sha256: hex digest of the file's bytes; equal digests mean equal pixels within one run.
    """

    pixels: Pixels = field(repr=False)
    content_sha256: str


@dataclass(frozen=True)
class Caption:
    """What a model says of a picture: one sentence and its keywords, most telling first."""

    text: str
    keywords: tuple[str, ...] = ()


CaptionHeard = Callable[[int, Caption], None]
VectorHeard = Callable[[int, Vector], None]
"""Told of each answer that is no failure as soon as it has come, before the call returns: to which of the things that
were asked for (equal ones may share an answer, and it is told of for one of them), and what it is.

It is called in any thread, also after the caller was interrupted. It must be quick and must not raise.
"""


def unheard(position: int, answer: object) -> None:
    """Nobody needs to know before the call returns."""


@dataclass(frozen=True)
class Usage:
    """What calls to a provider used and cost since the last time it was asked."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    currency: str = "CNY"

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            requests=self.requests + other.requests,
            retries=self.retries + other.retries,
            throttled=self.throttled + other.throttled,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost=self.cost + other.cost,
            currency=other.currency if other.requests else self.currency,
        )


@dataclass(frozen=True)
class ModelDescription:
    """What can be said of a model before it is loaded.

    Attributes:
        provider: name in the registry, such as ``local``.
        model: the model's name as its maker spells it.
        revision: pins the weights; part of the fingerprint, so a change redoes the rows.
        picture_size: what the decoder must deliver; None for a model that sees no pictures.
        dim: length of its vectors; None for a captioner.
        lane: where it works: ``cpu`` and ``gpu`` are bound by this machine, ``api`` by somebody's quota.
        settings: what its answers depend on beside the model, such as the prompt: (name, value) each. Part of the
            fingerprint, so a change redoes the rows.
        terms: what it may be asked and what that costs; None for a model that nobody charges for or limits.
        languages: ISO 639-1 codes of the languages it understands or writes.
        licence: SPDX identifier of the weights.
        parameters_m: how many of them it has, millions; None where nobody says.
        note: what it is and what it is not, for its users.
    """

    provider: str
    model: str
    revision: str
    picture_size: PictureSize | None = None
    dim: int | None = None
    lane: Literal["cpu", "gpu", "api"] = "cpu"
    settings: tuple[tuple[str, str], ...] = ()
    terms: Terms | None = None
    languages: tuple[str, ...] = ()
    licence: str = ""
    parameters_m: int | None = None
    note: str = ""

    @property
    def name(self) -> str:
        """``provider/model@revision``, as it is written beside every row."""
        return f"{self.provider}/{self.model}@{self.revision}"


class Quota(Protocol):
    """Leave to send requests to one model's service, given to everyone who asks it in one place.

    Its owner calls it on one event loop. Each `acquire` that returned is followed by one `settle` or one `throttled`.
    """

    async def acquire(self, charge: Charge) -> None:
        """Wait for one request's turn.

        Raises:
            TukuError: the run has been halted.
        """
        ...

    def settle(self, charge: Charge, used: Charge) -> None:
        """The request that `charge` was acquired for has ended; it used this (nothing, if it failed)."""
        ...

    def throttled(self, charge: Charge, kind: ThrottleKind, retry_after_s: float | None) -> None:
        """The request was refused for being one too many; the service said to wait so long, or nothing."""
        ...

    def halt(self, error: TukuError) -> None:
        """No further request of this run, from anywhere: `error` says why."""
        ...

    @property
    def halted(self) -> TukuError | None:
        """Why no further request is sent, or None."""
        ...


@runtime_checkable
class Captioner(Protocol):
    """Writes captions. Safe to call from several threads at once.

    Once the run has been halted (see `Quota.halt`), what was not answered is a `RowError` of code ``stopped``:
    answers that have been paid for are never lost with it.
    """

    @property
    def description(self) -> ModelDescription:
        """Known without a call to the model."""
        ...

    def caption(self, pictures: Sequence[Picture], heard: CaptionHeard = unheard) -> list[Caption | RowError]:
        """One outcome for each picture, in order; only a broken job raises (`TukuError`)."""
        ...

    def take_usage(self) -> Usage:
        """What was used since this was last asked."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """Puts pictures and texts into one vector space. Safe to call from several threads at once.

    Passages (captions, stored) and queries (what people type) are different verbs: many models
    encode them differently. What a halted run leaves unanswered is as with a `Captioner`.
    """

    @property
    def description(self) -> ModelDescription:
        """Known without a call to the model."""
        ...

    def embed_pictures(self, pictures: Sequence[Picture], heard: VectorHeard = unheard) -> list[Vector | RowError]:
        """One float32 (dim,) L2-normalised vector, or the reason why not, for each picture, in order."""
        ...

    def embed_passages(self, texts: Sequence[str], heard: VectorHeard = unheard) -> list[Vector | RowError]:
        """Like `embed_pictures`, for texts that are stored."""
        ...

    def embed_queries(self, texts: Sequence[str]) -> list[Vector | RowError]:
        """Like `embed_pictures`, for texts that are searched with."""
        ...

    def take_usage(self) -> Usage:
        """What was used since this was last asked."""
        ...


@runtime_checkable
class FusingEmbedder(Embedder, Protocol):
    """An embedder that looks at a text and a picture together."""

    def embed_composed(self, queries: Sequence[tuple[str, Picture]]) -> list[Vector | RowError]:
        """One vector for each text with its picture, such as "phone case with this" and a leopard, in order."""
        ...
