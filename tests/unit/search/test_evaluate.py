"""Labelled queries, asked one by one: what is wrong with one of them is said with its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from fakes.files import FakeFetcher, png
from fakes.models import FakeEmbedder
from tuku.config import Config, MilvusConfig
from tuku.errors import ConfigError, RowError
from tuku.protocols import Vector
from tuku.search.encode import Encoder
from tuku.search.evaluate import Evaluation, evaluate, misfit
from tuku.search.known_fields import KnownFields, seen_in
from tuku.search.query import Query
from tuku.search.query_file import Labelled
from tuku.search.results import Result
from tuku.search.searcher import Searcher


class FixedRetriever:
    """A collection that finds the same images whatever it is asked.

    Args:
        found: their ids, best first.
        field: that they have.
    """

    def __init__(self, found: Sequence[str] = ("red", "green"), field: str = "price") -> None:
        self._found, self._field = found, field

    def nearest(self, field: str, vectors: Sequence[Vector], limit: int, *_: object) -> list[list[Result]]:
        return [[Result(name, 1.0, {field: 1.0}) for name in self._found][:limit] for _ in vectors]

    def fused(self, vectors: Sequence[Vector], limit: int, *_: object, **__: object) -> list[list[Result]]:
        return self.nearest("both", vectors, limit)

    def scored(self, vector: Vector, results: Sequence[Result]) -> list[Result]:
        return list(results)

    def images(self, ids: Sequence[str]) -> dict[str, Result]:
        return {}

    def fields(self) -> KnownFields:
        return seen_in([{self._field: 3}])

    def has_field(self, name: str) -> bool:
        return name == self._field


def searcher(retriever: FixedRetriever | None = None) -> Searcher:
    config = Config(milvus=MilvusConfig(vectors=("image", "text")))
    files = {"/red.png": png((255, 0, 0), side_px=64), "/gone.png": RowError("not_found", "/gone.png does not exist.")}
    encoder = Encoder(
        FakeEmbedder(), FakeFetcher(files), config.decode, explained=lambda fault, *_: ConfigError(str(fault))
    )
    return Searcher(config, encoder, retriever or FixedRetriever())


def labelled(place: str = "q.jsonl, line 7", **asked: object) -> Labelled:
    return Labelled(Query(**asked), ("red",), place)


@pytest.mark.parametrize("where", [None, "price < 5", "not (price in [1, 2])"])
def test_a_query_that_fits_can_be_asked(where: str | None) -> None:
    assert misfit([searcher()], Query(text="a", where=where)) is None


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (Query(text="a", where="garbage"), "cannot be understood"),
        (Query(text="a", where="pryce < 5"), "no field pryce"),
        (Query(text="a", where="price < 'x'"), "compares price with 'x'"),
        (Query(text="  "), "needs a text or a picture"),
    ],
)
def test_a_query_that_does_not_fit_is_found_out_before_it_is_encoded(query: Query, said: str) -> None:
    fault = misfit([searcher()], query)
    assert fault is not None
    assert said in fault.message


def test_a_filter_must_fit_every_collection() -> None:
    both = [searcher(), searcher(FixedRetriever(field="cost"))]
    fault = misfit(both, Query(text="a", where="price < 5"))
    assert fault is not None
    assert "no field price" in fault.message
    assert misfit(both, Query(text="a")) is None


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"text": "a", "where": "garbage"}, "--where cannot be understood"),
        ({"image": "/gone.png"}, "the picture cannot be used: not_found: /gone.png does not exist."),
    ],
)
def test_what_is_wrong_is_said_with_its_place(asked: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        evaluate({"tuku": searcher()}, [labelled("q.jsonl, line 1", text="red"), labelled(**asked)])
    assert error.value.message.startswith(f"q.jsonl, line 7: {said}")


def test_a_query_that_the_model_refuses_is_said_with_its_place() -> None:
    class Refusing(FakeEmbedder):
        def embed_queries(self, texts: Sequence[str]) -> list[Vector | RowError]:
            return [RowError("content_refused", "not this") for _ in texts]

    searching = searcher()
    searching = replace(searching, encoder=replace(searching.encoder, embedder=Refusing()))
    with pytest.raises(ConfigError, match=r"^q\.jsonl, line 7: content_refused"):
        evaluate({"tuku": searching}, [labelled(text="red")])


def test_collections_are_asked_alike_and_misses_are_kept() -> None:
    both = {"tuku": searcher(), "other": searcher(FixedRetriever(["green", "blue"]))}
    first, other = evaluate(both, [labelled(text="red"), labelled(image="/red.png")])
    assert isinstance(first, Evaluation)
    modes = {"text-to-image", "text-to-text", "image-to-image", "image-to-text", "both"}
    assert set(first.answered) == set(other.answered) == modes
    assert first.misses("text-to-image", 5) == []
    [missed] = other.misses("text-to-image", 5)
    assert missed.labelled.query.text == "red"
    assert other.to_dict()["modes"]["both"] == {
        "queries": 2,
        **dict.fromkeys(("recall@1", "recall@5", "recall@10", "mrr", "ndcg@10"), 0.0),
    }
    assert len(other.misses("both", 1)) == 1
