"""The pipeline, once, in order. Read this file first.

    manifest ─► plan ─► fetch ─► decode ─► caption ─► embed ─► write

`manifest` and `plan` turn the catalogue into a work list; the stages below turn each block of that list into part
files. A stage is a pure function from Arrow table to Arrow table; what it needs besides comes from the `Toolbox`,
which `tuku.runtime` fills on the worker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from tuku.config import Config
from tuku.fetching import Fetcher
from tuku.protocols import Captioner, Embedder, ModelDescription, PictureSize
from tuku.stages.caption import caption_batch
from tuku.stages.decode import decode_batch
from tuku.stages.embed import embed_batch
from tuku.stages.fetch import fetch_batch
from tuku.stages.fingerprints import caption_fingerprint, embedding_fingerprint
from tuku.stages.write import Sink, write_batch


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
            caption_fingerprint(captioner, config.caption),
            embedding_fingerprint(embedder, config.milvus.vectors),
        )

    def notes(self) -> dict[str, str]:
        """For people: by stage, which model it is, and what it is and is not."""
        models = {"caption": self.captioner, "embed": self.embedder}
        return {stage: f"{model.name}. {model.note}" for stage, model in models.items() if model is not None}

    def picture_sizes(self) -> list[PictureSize]:
        """What the decoder must deliver so that every model is served."""
        sizes = [model.picture_size for model in (self.captioner, self.embedder) if model is not None]
        return [size for size in sizes if size is not None]


@dataclass(frozen=True)
class Toolbox:
    """What the stages use; one for each worker."""

    config: Config
    models: Models
    fetcher: Fetcher
    captioner: Captioner | None
    embedder: Embedder
    sink: Sink


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline.

    Attributes:
        name: as in reports and dead letters.
        work: from the previous stage's schema to this one's.
        batch_rows: how many rows it gets at a time, by configuration.
        ahead: it waits on disks and networks, so it works one batch ahead of the others, on a thread of its own.
    """

    name: str
    work: Callable[[pa.Table, Toolbox], pa.Table]
    batch_rows: Callable[[Config], int]
    ahead: bool = False


def _slice(config: Config) -> int:
    return config.runtime.slice_rows


def _block(config: Config) -> int:
    return config.runtime.block_rows


STAGES = (
    Stage("fetch", lambda batch, box: fetch_batch(batch, box.fetcher), _slice, ahead=True),
    Stage(
        "decode",
        lambda batch, box: decode_batch(
            batch, max_pixels=box.config.decode.max_pixels, sizes=box.models.picture_sizes()
        ),
        _slice,
    ),
    Stage(
        "caption",
        lambda batch, box: caption_batch(batch, box.captioner, box.models.caption_fingerprint),
        _slice,
    ),
    Stage(
        "embed",
        lambda batch, box: embed_batch(
            batch, box.embedder, box.config.milvus.vectors, box.models.embedding_fingerprint
        ),
        _slice,
    ),
    Stage("write", lambda batch, box: write_batch(batch, box.sink), _block),
)
