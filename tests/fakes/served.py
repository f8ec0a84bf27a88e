"""A collection of the five colours, and searchers over it whose model and Milvus fail as they are told to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fakes.files import FakeFetcher
from fakes.models import COLOURS, DIM, FakeEmbedder
from tuku.config import Config, MilvusConfig
from tuku.errors import RowError, StoppedError
from tuku.milvus import collection, index
from tuku.milvus.capabilities import ask
from tuku.milvus.connect import connected
from tuku.milvus.fields import vector_fields
from tuku.milvus.reader import require_searchable
from tuku.runtime.retrieving import MilvusRetriever
from tuku.search.encode import Encoder
from tuku.search.searcher import Searcher

MODEL = FakeEmbedder().description.name


def fill(milvus: MilvusConfig, model: str = MODEL, name: str | None = None, suffix: str = "") -> None:
    """A collection of the five colours, in the place of one of this name.

    Args:
        milvus: where it is.
        model: that its stamp names.
        name: of the collection; by default the one that readers use.
        suffix: of the ids.
    """
    name = name or milvus.collection
    with connected(milvus) as client:
        able = ask(client, Config(milvus=milvus))
        if collection.exists(client, name):
            collection.drop(client, name)
        collection.create(client, name, milvus, DIM, model, nulls=able.nulls)
        rows = []
        for colour, vector in zip(
            COLOURS, FakeEmbedder().embed_passages([f"a {each}" for each in COLOURS]), strict=True
        ):
            row = dict.fromkeys(("run_id", "caption_model", "embed_model", "content_sha256"), "")
            row |= {"id": colour + suffix, "origin": f"/x/{colour}.png", "image_description": f"a {colour} one"}
            row |= {"keywords": [colour], "price": len(colour), **dict.fromkeys(vector_fields(milvus), vector)}
            rows.append(row)
        client.insert(name, rows)
        client.flush(name)
        index.build_indexes(client, name, milvus, len(rows), able)
        index.load(client, name, 60)


@dataclass
class Opening:
    """Opens searchers, as `open_searcher` does.

    Args:
        faults: raised, one after the other, in the place of opening.
        halted: whether the access to the model lets nothing through.
    """

    faults: list[Exception] = field(default_factory=list)
    halted: bool = False
    opened: int = 0
    open_now: int = 0
    asked: int = 0

    @contextmanager
    def __call__(self, config: Config) -> Iterator[Searcher]:
        if self.faults:
            raise self.faults.pop(0)
        self.opened += 1
        with connected(config.milvus, create=False) as client:
            require_searchable(client, config.milvus, MODEL, DIM)
            self.open_now += 1
            encoder = Encoder(_Model(self), FakeFetcher({}), config.decode, explained=_explained)
            try:
                yield Searcher(config, encoder, MilvusRetriever(client, config.milvus, config.search))
            finally:
                self.open_now -= 1


class _Model(FakeEmbedder):
    def __init__(self, opening: Opening) -> None:
        super().__init__()
        self._opening = opening

    def embed_queries(self, texts):
        self._opening.asked += 1
        if self._opening.halted:
            return [RowError("stopped", "the quota") for _ in texts]
        return super().embed_queries(texts)


def _explained(fault: RowError, _part: str) -> StoppedError:
    return StoppedError(f"halted for good: {fault.message}")


@dataclass
class Clock:
    """Stands still."""

    now_s: float = 1_000.0

    def __call__(self) -> float:
        return self.now_s
