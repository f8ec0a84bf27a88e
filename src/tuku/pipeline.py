"""The pipeline, once, in order. Read this file first.

    manifest ─► plan ─► fetch ─► twins ─► decode ─► caption ─► embed ─► write
                          ▲        │
                          └────────┘ rows with the same content as another, once that one is done

`manifest` and `plan` turn the catalogue into a work list; the stages below turn each block of that list into part
files. A stage is a pure function from Arrow table to Arrow table; what it needs besides comes from the `Toolbox`,
which `tuku.runtime` fills on the worker.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from tuku.config import Config
from tuku.fetching import Fetcher
from tuku.protocols import Captioner, Embedder, ModelDescription, PictureSize
from tuku.stages.caption import caption_batch
from tuku.stages.decode import decode_batch
from tuku.stages.embed import embed_batch
from tuku.stages.fetch import fetch_batch
from tuku.stages.fingerprints import caption_fingerprint, embedding_fingerprint
from tuku.stages.paid import Keep, PaidAnswers, forget
from tuku.stages.twins import Claims, Contents, NoClaims, set_twins_aside
from tuku.stages.write import Sink, write_batch
from tuku.terms import Terms

Lane = Literal["io", "cpu", "gpu", "api"]
"""What a stage waits for: disks and networks, this machine's processors, or somebody's service."""

_SLICE_ROWS, _SERVED_SLICE_ROWS, _GPU_SLICE_ROWS = 32, 16, 128
_CALLS_TO_ROWS = 6
"""Rows under way for each request in flight: a slice is done when the slowest of its answers has come."""
_SECONDS_UNDER_WAY = 20
"""From a row's file to its last vector, with a service whose slowest answers take 8 s: so much of a quota is ahead."""


@dataclass(frozen=True)
class Models:
    """The models of a run, known before any of them is loaded.

    Attributes:
        captioner: None for a catalogue without captions.
        embedder: fills the vectors.
        caption_fingerprint: what captions depend on besides the picture.
        embedding_fingerprint: what vectors depend on besides picture and caption.
    """

    captioner: ModelDescription | None
    embedder: ModelDescription
    caption_fingerprint: str
    embedding_fingerprint: str

    @classmethod
    def of(cls, config: Config, captioner: ModelDescription | None, embedder: ModelDescription) -> Models:
        """The models as configured."""
        return cls(
            captioner,
            embedder,
            caption_fingerprint(captioner),
            embedding_fingerprint(embedder, config.milvus.vectors),
        )

    def notes(self) -> dict[str, str]:
        """For people: by stage, which model it is, and what it is and is not."""
        return {stage: f"{model.name}. {model.note}" for stage, model in self.by_stage().items()}

    def by_stage(self) -> dict[str, ModelDescription]:
        """The models by the stage that asks them."""
        models = {"caption": self.captioner, "embed": self.embedder}
        return {stage: model for stage, model in models.items() if model is not None}

    def usable(self, paid: pa.Table) -> pa.Table:
        """The answers in a table of schema `PAID` that these models would give again."""
        captions = pc.equal(paid.column("caption_fingerprint"), self.caption_fingerprint)
        vectors = pc.equal(paid.column("embedding_fingerprint"), self.embedding_fingerprint)
        return paid.filter(pc.or_kleene(captions, vectors))

    def lane(self, stage: str) -> Lane:
        """Where the stage of this name does its work."""
        model = self.by_stage().get(stage)
        return "cpu" if model is None else model.lane

    @property
    def on_gpu(self) -> bool:
        """Whether a model works on a GPU, if there is one."""
        return any(model.lane == "gpu" for model in self.by_stage().values())

    def slice_rows(self, config: Config) -> int:
        """How many rows go through the stages together: fewer where all wait for the slowest answer."""
        served = any(model.lane == "api" for model in self.by_stage().values())
        rows = _SERVED_SLICE_ROWS if served else _GPU_SLICE_ROWS if self.on_gpu else _SLICE_ROWS
        return config.runtime.slice_rows or rows

    def block_rows(self, config: Config, workers: int) -> int:
        """How many rows each of so many workers writes together: no more than the slowest service does in a while."""
        served = self.rows_in_flight(workers)
        most = config.runtime.block_rows
        return min(most, max(served, self.slice_rows(config))) if served else most

    def rows_in_flight(self, workers: int) -> int:
        """How many rows each of so many workers has under way so that no service waits; 0 if no model is one."""
        terms = [model.terms for model in self.by_stage().values() if model.terms is not None]
        return min((_rows_in_flight(each, workers) for each in terms), default=0)

    def picture_sizes(self) -> list[PictureSize]:
        """What the decoder must deliver so that every model is served."""
        sizes = [model.picture_size for model in self.by_stage().values()]
        return [size for size in sizes if size is not None]

    def pictures_are_served(self) -> bool:
        """Whether services alone look at pictures, all at the same size: then nobody here needs pixels."""
        seeing = [model for model in self.by_stage().values() if model.picture_size is not None]
        return all(model.lane == "api" for model in seeing) and len(set(self.picture_sizes())) == 1


def _rows_in_flight(terms: Terms, workers: int) -> int:
    most = _CALLS_TO_ROWS * terms.concurrency * terms.pictures_per_request
    if terms.requests_per_min is None:
        return most
    rows_per_s = terms.requests_per_min / 60 * terms.pictures_per_request
    return min(most, math.ceil(rows_per_s * _SECONDS_UNDER_WAY / workers))


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Toolbox:
    """What the stages use; one for each worker.

    Attributes:
        paid: answers that earlier runs paid for and could not use.
        journal: makes an answer durable as soon as it has come; nothing that costs nothing is put there.
        contents: what the lake has answers for.
        claims: what else this run works.
        round_: rows that a round sets aside are the next one's.
        halted: whether the run is to stop: then no stage begins on a slice.
    """

    config: Config
    models: Models
    fetcher: Fetcher
    captioner: Captioner | None
    embedder: Embedder
    sink: Sink
    paid: PaidAnswers = field(default_factory=PaidAnswers)
    journal: Keep = forget
    contents: Contents = field(default_factory=Contents)
    claims: Claims = field(default_factory=NoClaims)
    round_: int = 1
    halted: Callable[[], bool] = _never

    def keep(self, stage: str) -> Keep:
        """What the stage of this name does with each answer: a model on this machine can be asked again."""
        model = self.models.by_stage().get(stage)
        return forget if model is None or model.terms is None else self.journal


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline, from the previous stage's schema to its own.

    Attributes:
        name: as in reports and dead letters.
        work: what it does to a slice of a block, or to the block.
        lane: what it waits for; slices share a worker's processors, and wait for the rest side by side.
        on_block: it is done once, to the whole block, after all slices have been through the others.
    """

    name: str
    work: Callable[[pa.Table, Toolbox], pa.Table]
    lane: Callable[[Models], Lane]
    on_block: bool = False


STAGES = (
    Stage(
        "fetch",
        lambda batch, box: fetch_batch(
            batch,
            box.fetcher,
            ask_servers=box.config.plan.compare == "source",
            buckets_listed=bool(box.config.fetch.allowed_hosts),
        ),
        lambda _: "io",
    ),
    Stage("twins", lambda batch, box: set_twins_aside(batch, box.contents, box.claims), lambda _: "io"),
    Stage(
        "decode",
        lambda batch, box: decode_batch(
            batch,
            max_pixels=box.config.decode.max_pixels,
            sizes=box.models.picture_sizes(),
            served=box.models.pictures_are_served(),
        ),
        lambda _: "cpu",
    ),
    Stage(
        "caption",
        lambda batch, box: caption_batch(
            batch, box.captioner, box.models.caption_fingerprint, box.paid, box.keep("caption")
        ),
        lambda models: models.lane("caption"),
    ),
    Stage(
        "embed",
        lambda batch, box: embed_batch(
            batch,
            box.embedder,
            box.config.milvus.vectors,
            box.models.embedding_fingerprint,
            box.paid,
            box.keep("embed"),
        ),
        lambda models: models.lane("embed"),
    ),
    Stage("write", lambda batch, box: write_batch(batch, box.sink, box.round_), lambda _: "io", on_block=True),
)
