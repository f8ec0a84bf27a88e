"""A catalogue that is served for long: it outlives what fails, and notices what has changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from fakes.models import COLOURS
from fakes.served import MODEL, Clock, Opening, fill
from tuku.config import Config, MilvusConfig, RerankConfig, ServeConfig
from tuku.errors import MilvusError, StoppedError, VectorSpaceError
from tuku.milvus.calls import MilvusAwayError
from tuku.runtime.reconnecting import Opener
from tuku.runtime.retrieving import MilvusRetriever
from tuku.runtime.serving import AGAIN_S, CHECK_S, LiveCatalogue, OutOfServiceError, _for_people
from tuku.search.query import Query
from tuku.search.rerank import Reordered
from tuku.search.results import Result
from tuku.search.searcher import Searcher

pytestmark = pytest.mark.milvus


@pytest.fixture
def config(tmp_path) -> Config:
    milvus = MilvusConfig(uri=str(tmp_path / "tuku.db"))
    fill(milvus)
    return Config(milvus=milvus)


@contextmanager
def live(
    config: Config, opening: Opening | None = None, opener: Opener | None = None
) -> Iterator[tuple[LiveCatalogue, Opening, Clock]]:
    opening, clock = opening or Opening(), Clock()
    catalogue = LiveCatalogue(config, opener or opening, clock)
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
        assert {each.id for each in catalogue.some(9, "price >= 5")} == {"green", "yellow"}
        assert [(each.score, each.scores) for each in catalogue.some(1, "price == 3")] == [(0.0, {})]
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
        opening.halted = True
        for _ in range(3):
            with pytest.raises(StoppedError, match="halted for good: the quota") as caught:
                catalogue.search(Query(text="red"))
            assert caught.value.__cause__.code == "stopped"
        assert (opening.opened, opening.asked) == (1, 1)  # the others were told at once
        assert catalogue.similar("red", Query(limit=2)).results  # no model is needed for that
        clock.now_s += AGAIN_S
        with pytest.raises(StoppedError):
            catalogue.search(Query(text="red"))
        assert (opening.opened, opening.asked) == (2, 2)
        clock.now_s += AGAIN_S
        opening.halted = False
        assert catalogue.search(Query(text="red")).results
        assert (opening.opened, opening.open_now) == (3, 1)
        clock.now_s += AGAIN_S
        catalogue.search(Query(text="red"))
        assert opening.opened == 3


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


@dataclass
class Unranked:
    """Implements `Reordering`: the reranker gave no usable order."""

    def reorder(self, query: Query, results: Sequence[Result]) -> Reordered:
        return Reordered(tuple(results), done=False)


def test_what_a_client_asks_for_does_not_cost_a_healthy_searcher(config, monkeypatch):
    with live(config) as (catalogue, opening, clock):
        with catalogue._searcher.used() as opened:
            opened.searcher = replace(opened.searcher, reordering=Unranked())
        assert not catalogue.search(Query(text="red", rerank=True)).reranked

        def refuse(*_: object) -> None:
            raise MilvusError("Milvus failed while searching: this filter is too long.")

        with monkeypatch.context() as patched:
            patched.setattr(MilvusRetriever, "nearest", refuse)
            with pytest.raises(MilvusError):
                catalogue.search(Query(text="red"))
        clock.now_s += AGAIN_S
        assert catalogue.search(Query(text="red")).results
        assert opening.opened == 1


def test_a_milvus_that_is_away_is_connected_to_anew(config, monkeypatch):
    with live(config) as (catalogue, opening, clock):

        def fail(*_: object) -> None:
            raise MilvusAwayError("Milvus failed while searching: UNAVAILABLE")

        with monkeypatch.context() as patched:
            patched.setattr(MilvusRetriever, "nearest", fail)
            with pytest.raises(MilvusAwayError):
                catalogue.search(Query(text="red"))
        clock.now_s += AGAIN_S
        assert catalogue.search(Query(text="red")).results
        assert (opening.opened, opening.open_now) == (2, 1)


def test_who_searches_does_not_wait_for_another_to_open(config):
    opening, goes_on, began = Opening(), threading.Event(), threading.Event()

    @contextmanager
    def slowly(config: Config) -> Iterator[Searcher]:
        if opening.opened:
            began.set()
            assert goes_on.wait(20)
        with opening(config) as searcher:
            yield searcher

    with live(config, opening, slowly) as (catalogue, _, clock), ThreadPoolExecutor(2) as people:
        opening.halted = True
        with pytest.raises(StoppedError):
            catalogue.search(Query(text="red"))
        opening.halted = False
        clock.now_s += AGAIN_S
        opens = people.submit(catalogue.search, Query(text="red"))
        assert began.wait(20)
        try:
            assert people.submit(catalogue.find, "red").result(10) is not None
        finally:
            goes_on.set()
        assert opens.result(20).results
        assert (opening.opened, opening.open_now) == (2, 1)


def test_a_reranker_has_ended_before_the_search_must():
    config = Config(serve=ServeConfig(timeout_s=30), rerank=RerankConfig(timeout_s=60))
    assert _for_people(config).rerank.timeout_s < config.serve.timeout_s
    assert _for_people(config.model_copy(update={"rerank": RerankConfig(timeout_s=5)})).rerank.timeout_s == 5
