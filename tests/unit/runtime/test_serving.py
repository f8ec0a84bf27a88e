"""A catalogue that is served for long: it outlives what fails, and notices what has changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from fakes.files import FakeFetcher
from fakes.models import COLOURS, DIM, FakeEmbedder
from tuku.config import Config, MilvusConfig
from tuku.errors import MilvusError, RowError, StoppedError, VectorSpaceError
from tuku.milvus import collection
from tuku.milvus.capabilities import ask
from tuku.milvus.connect import connected
from tuku.milvus.index import build_indexes
from tuku.milvus.reader import require_searchable
from tuku.runtime.retrieving import MilvusRetriever
from tuku.runtime.serving import AGAIN_S, CHECK_S, LiveCatalogue, OutOfServiceError
from tuku.search.encode import Encoder
from tuku.search.query import Query
from tuku.search.searcher import Searcher

pytestmark = pytest.mark.milvus
MODEL = FakeEmbedder().description.name


@pytest.fixture
def config(tmp_path) -> Config:
    """A collection of the five colours."""
    milvus = MilvusConfig(uri=str(tmp_path / "tuku.db"))
    fill(milvus, MODEL)
    return Config(milvus=milvus)


def fill(milvus: MilvusConfig, model: str) -> None:
    embedder = FakeEmbedder()
    with connected(milvus) as client:
        collection.drop(client, milvus.collection)
        collection.create(client, milvus.collection, milvus, DIM, model)
        rows = []
        for name, vector in zip(COLOURS, embedder.embed_passages([f"a {each}" for each in COLOURS]), strict=True):
            row = dict.fromkeys(("run_id", "caption_model", "embed_model", "content_sha256"), "")
            row |= {"id": name, "origin": f"/x/{name}.png", "image_description": f"a {name} one", "keywords": [name]}
            rows.append({**row, "image_embedding": vector, "text_embedding": vector, "price": len(name)})
        client.insert(milvus.collection, rows)
        build_indexes(client, milvus.collection, milvus, len(rows), ask(client, Config(milvus=milvus)))


@dataclass
class Opening:
    """Opens searchers, as `open_searcher` does, with a model that fails as it is told to."""

    faults: list[Exception] = field(default_factory=list)
    broken: bool = False
    opened: int = 0
    open_now: int = 0

    @contextmanager
    def __call__(self, config: Config) -> Iterator[Searcher]:
        if self.faults:
            raise self.faults.pop(0)
        self.opened += 1
        opening = self

        class Model(FakeEmbedder):
            def embed_queries(self, texts):
                if opening.broken:
                    return [RowError("stopped", "the quota") for _ in texts]
                return super().embed_queries(texts)

        def explained(fault: RowError) -> StoppedError:
            return StoppedError(f"halted for good: {fault.message}")

        with connected(config.milvus, create=False) as client:
            require_searchable(client, config.milvus, MODEL, DIM)
            self.open_now += 1
            encoder = Encoder(Model(), FakeFetcher({}), config.decode, explained=explained)
            try:
                yield Searcher(config, encoder, MilvusRetriever(client, config.milvus, config.search))
            finally:
                self.open_now -= 1


@dataclass
class Clock:
    now_s: float = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@contextmanager
def live(config: Config, opening: Opening | None = None) -> Iterator[tuple[LiveCatalogue, Opening, Clock]]:
    opening, clock = opening or Opening(), Clock()
    catalogue = LiveCatalogue(config, opening, clock)
    try:
        yield catalogue, opening, clock
    finally:
        catalogue.close()
        assert opening.open_now == 0


def test_it_finds_by_text_by_id_and_by_likeness(config):
    with live(config) as (catalogue, opening, _):
        answer = catalogue.search(Query(text="blue", limit=2))
        assert answer.results[0].id == "blue"
        found = catalogue.find("red")
        assert found is not None
        assert (found.uri, found.caption, found.keywords) == ("/x/red.png", "a red one", ("red",))
        assert found.metadata == {"price": 3}
        assert {each.id for each in catalogue.some(3)} < set(COLOURS)
        alike = catalogue.similar("red", Query(limit=5, where="price > 2", target="both"))
        assert alike is not None
        assert alike.results[0].id == "yellow"
        assert (len(alike.results), "red" in [each.id for each in alike.results]) == (4, False)
        assert alike.query.where == "price > 2"
        assert catalogue.find("nobody") is None
        assert catalogue.similar("nobody", Query()) is None
        assert catalogue.similar('x" or id != "', Query()) is None
        assert catalogue.fields()["price"].kinds == {"number"}
        assert catalogue.can_rerank() is False
        catalogue.check()
        assert opening.opened == 1


def test_one_throttle_does_not_halt_it_for_good(config):
    with live(config) as (catalogue, opening, clock):
        opening.broken = True
        for _ in range(3):
            with pytest.raises(StoppedError):
                catalogue.search(Query(text="red"))
        assert opening.opened == 1  # not again at once
        clock.now_s += AGAIN_S
        opening.broken = False
        assert catalogue.search(Query(text="red")).results
        assert opening.opened == 2
        assert opening.open_now == 1
        clock.now_s += AGAIN_S
        catalogue.search(Query(text="red"))
        assert opening.opened == 2


def test_it_opens_once_there_is_something_to_open(config):
    away = [MilvusError("no server at 10.0.0.1"), MilvusError("still none")]
    with live(config, Opening(faults=away)) as (catalogue, opening, clock):
        for _ in range(3):
            with pytest.raises(OutOfServiceError, match="no server"):
                catalogue.search(Query(text="red"))
        clock.now_s += AGAIN_S
        with pytest.raises(OutOfServiceError, match="still none"):
            catalogue.check()
        clock.now_s += AGAIN_S
        assert catalogue.search(Query(text="red")).results
        assert opening.opened == 1


def test_a_collection_of_another_model_is_not_searched_for_long(config):
    with live(config) as (catalogue, _, clock):
        assert catalogue.search(Query(text="red")).results
        fill(config.milvus, "other/model@1")
        clock.now_s += CHECK_S
        for _ in range(2):
            with pytest.raises(OutOfServiceError, match="holds vectors of other/model@1") as refused:
                catalogue.search(Query(text="red"))
            assert isinstance(refused.value.__cause__, VectorSpaceError)
        clock.now_s += AGAIN_S
        with pytest.raises(OutOfServiceError):
            catalogue.search(Query(text="red"))
        fill(config.milvus, MODEL)
        clock.now_s += AGAIN_S
        assert catalogue.search(Query(text="red")).results


def test_many_threads_share_it(config):
    with live(config) as (catalogue, opening, clock), ThreadPoolExecutor(12) as people:
        start = threading.Barrier(12)

        def person(number: int) -> list[str]:
            start.wait()
            wanted = list(COLOURS)[number % len(COLOURS)]
            if number == 5:
                clock.now_s += CHECK_S
            return [catalogue.search(Query(text=wanted, limit=1)).results[0].id for _ in range(15)] + [wanted]

        for found in people.map(person, range(12)):
            assert len(set(found)) == 1
        assert opening.opened == 1
