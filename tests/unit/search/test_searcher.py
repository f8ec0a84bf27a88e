"""Search: a query becomes a vector, its neighbours become results."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from fakes.files import FakeFetcher, png
from fakes.models import COLOURS, FakeCaptioner, FakeEmbedder
from tuku.conditions import Comparison, Condition, holds
from tuku.config import Config, MilvusConfig, RerankConfig, SearchConfig
from tuku.errors import ConfigError, RowError
from tuku.imaging import decode
from tuku.protocols import Captioner, Embedder, FusingEmbedder, Picture, Vector
from tuku.search.encode import Encoder, NoVectorError
from tuku.search.known_fields import KnownFields, seen_in
from tuku.search.query import Query
from tuku.search.rerank import Reordered
from tuku.search.results import Result
from tuku.search.rules import boosted, values_of
from tuku.search.searcher import Searcher

METADATA = {
    "red": {"price": 10, "sku": "a", "stock": 0},
    "green": {"price": 20, "sku": "a", "stock": 3},
    "blue": {"price": 30, "sku": "b", "stock": 1},
    "yellow": {"price": 40, "sku": "b"},
    "grey": {"price": 50},
}


@dataclass
class ColourRetriever:
    """A collection of one picture of each colour."""

    asked: list[tuple[str, int]] = field(default_factory=list)
    whole: int = 0
    wheres: list[Condition | None] = field(default_factory=list)

    def nearest(
        self,
        field: str,
        vectors: Sequence[Vector],
        limit: int,
        where: Condition | None,
        fields: Sequence[str] | None = None,
    ) -> list[list[Result]]:
        self.asked.append((field, limit))
        self.wheres.append(where)
        found = [self._ranked(field, self._scores(vector), where)[:limit] for vector in vectors]
        if fields is not None:
            return [[_bare(result, fields) for result in results] for results in found]
        self.whole += sum(len(results) for results in found)
        return found

    def fused(
        self,
        vectors: Sequence[Vector],
        limit: int,
        where: Condition | None,
        fields: Sequence[str] | None = None,
        *,
        by_score: bool = False,
    ) -> list[list[Result]]:
        """Milvus' own fused scores are no similarities."""
        found = self.nearest("both", vectors, limit, where, fields)
        return [
            [
                replace(result, score=1 / place, scores=result.scores if by_score else {})
                for place, result in enumerate(results, start=1)
            ]
            for results in found
        ]

    def scored(self, vector: Vector, results: Sequence[Result]) -> list[Result]:
        scores = dict(zip(COLOURS, self._scores(vector).tolist(), strict=True))
        return [replace(result, scores={"both": scores[result.id]}) for result in results]

    def images(self, ids: Sequence[str]) -> dict[str, Result]:
        self.whole += len(ids)
        return {name: Result(name, 0.0, uri=f"/{name}.png", metadata=METADATA[name]) for name in ids if name in COLOURS}

    def fields(self) -> KnownFields:
        fixed = [{"id": "x", "origin": "x", "image_description": "x", "run_id": "x"}]
        return {**seen_in(METADATA.values()), **seen_in(fixed)}

    def has_field(self, name: str) -> bool:
        return name == "rare"

    def _scores(self, vector: Vector) -> Vector:
        pictures = [Picture(np.full((8, 8, 3), rgb, np.uint8), name) for name, rgb in COLOURS.items()]
        return np.stack(FakeEmbedder().embed_pictures(pictures)) @ vector

    def _ranked(self, field: str, scores: Vector, where: Condition | None) -> list[Result]:
        found = sorted(zip(scores.tolist(), COLOURS, strict=True), reverse=True)
        results = [
            Result(
                name,
                score,
                {field: score},
                f"/{name}.png",
                metadata=METADATA[name],
                stored={"run_id": name[0]},
            )
            for score, name in found
        ]
        return [result for result in results if where is None or holds(where, values_of(result))]


def _bare(result: Result, fields: Sequence[str]) -> Result:
    metadata = {name: value for name, value in result.metadata.items() if name in fields}
    stored = {name: value for name, value in result.stored.items() if name in fields}
    return Result(result.id, result.score, result.scores, metadata=metadata, stored=stored)


class Backwards:
    """A reranker that likes the worst best."""

    def reorder(self, query: Query, results: Sequence[Result]) -> Reordered:
        return Reordered(tuple(replace(result, reason="why not") for result in results[::-1]), done=True)


def searcher(
    *,
    vectors: tuple[str, ...] = ("image", "text"),
    embedder: FakeEmbedder | None = None,
    candidates: int = 100,
    **files: bytes | RowError,
) -> Searcher:
    config = Config(milvus=MilvusConfig(vectors=vectors), search=SearchConfig(candidates=candidates))
    fetcher = FakeFetcher({f"/{name}.png": content for name, content in files.items()})
    return Searcher(config, Encoder(embedder or FakeEmbedder(), fetcher, config.decode), ColourRetriever(), Backwards())


def names(searching: Searcher, **query: object) -> list[str]:
    return [result.id for result in searching.search(Query(**query)).results]


def test_the_fakes_are_models() -> None:
    assert isinstance(FakeEmbedder(), Embedder)
    assert isinstance(FakeCaptioner(), Captioner)
    [vector] = FakeEmbedder().embed_queries(["red"])
    assert isinstance(vector, np.ndarray)
    assert (vector.dtype, vector.shape) == (np.float32, (FakeEmbedder().description.dim,))


def asked(of: Searcher) -> list[tuple[str, int]]:
    assert isinstance(of.retriever, ColourRetriever)
    return of.retriever.asked


def test_a_text_finds_what_it_names() -> None:
    searching = searcher()
    query = Query(text="something blue", limit=3)
    answer = searching.search(query)
    assert answer.query == query
    assert answer.results[0].id == "blue"
    assert answer.results[0].uri == "/blue.png"
    assert [result.score for result in answer.results] == sorted(
        [result.score for result in answer.results], reverse=True
    )
    assert asked(searching) == [("image_embedding", 3)]
    assert answer.reranked is False


def test_a_picture_finds_what_looks_like_it() -> None:
    searching = searcher(query=png((240, 20, 10), side_px=64))
    answer = searching.search(Query(image="/query.png", target="text", limit=1))
    assert [result.id for result in answer.results] == ["red"]
    assert asked(searching) == [("text_embedding", 1)]
    assert set(answer.results[0].scores) == {"text_embedding"}


def test_the_phases_are_timed() -> None:
    timings = searcher().search(Query(text="red")).timings_ms
    assert set(timings) == {"encode", "retrieve", "filter"}
    assert all(milliseconds >= 0 for milliseconds in timings.values())


@pytest.mark.parametrize(
    "query", [Query(), Query(text=""), Query(text=" "), Query(image=""), Query(image=b""), Query(text="", image="")]
)
def test_a_query_is_a_text_or_a_picture(query: Query) -> None:
    searching = searcher(red=png((255, 0, 0)))
    with pytest.raises(ConfigError, match="a text or a picture") as error:
        searching.search(query)
    assert "--image" in error.value.remedy
    assert asked(searching) == []


def test_an_empty_text_beside_a_picture_is_no_text() -> None:
    answer = searcher(red=png((255, 0, 0))).search(Query(text="", image="/red.png"))
    assert answer.results[0].id == "red"


def test_a_vector_that_the_collection_does_not_have_is_named_with_what_it_has() -> None:
    with pytest.raises(ConfigError, match=r"no text_embedding .*\[image\]") as error:
        searcher(vectors=("image",)).search(Query(text="red", target="text"))
    assert "--in image" in error.value.remedy


@pytest.mark.parametrize(
    ("content", "code"), [(RowError("http_404", "Not there."), "http_404"), (b"no picture at all", "not_an_image")]
)
def test_a_picture_that_cannot_be_had_says_why(content: bytes | RowError, code: str) -> None:
    searching = searcher(query=content)
    with pytest.raises(RowError) as error:
        searching.search(Query(image="/query.png"))
    assert error.value.code == code
    assert asked(searching) == []


@pytest.mark.parametrize("uri", ["s3://bucket/red.png", "oss://bucket/red.png", "GS://bucket/red.png"])
def test_no_object_of_a_bucket_is_read_for_a_query(uri: str) -> None:
    searching = searcher()
    with pytest.raises(ConfigError, match="cannot be in a bucket"):
        searching.search(Query(image=uri))
    assert isinstance(searching.encoder.fetcher, FakeFetcher)
    assert searching.encoder.fetcher.asked == {}


@pytest.mark.parametrize(("refused", "part"), [("red", "text"), (sha256(png((255, 0, 0))).hexdigest(), "picture")])
def test_a_query_that_the_model_refuses_says_what_and_why(refused: str, part: str) -> None:
    fault = RowError("content_refused", "No.")
    searching = searcher(embedder=FakeEmbedder(failures={refused: fault}), red=png((255, 0, 0)))
    with pytest.raises(NoVectorError) as error:
        searching.search(Query(text="red", image="/red.png"))
    assert (error.value.fault, error.value.part) == (fault, part)


def test_a_text_with_a_picture_is_between_the_two() -> None:
    searching = searcher(red=png((255, 0, 0)))
    both = searching.search(Query(text="green", image="/red.png", limit=5))
    assert both.results[0].id == "yellow"  # which is red and green


class Fusing(FakeEmbedder):
    """Makes of any text and picture what is blue."""

    def embed_composed(self, queries: Sequence[tuple[str, Picture]]) -> list[Vector | RowError]:
        return self.embed_passages(["blue"] * len(queries))


def test_a_model_that_fuses_is_asked_for_both_at_once() -> None:
    assert isinstance(Fusing(), FusingEmbedder)
    assert not isinstance(FakeEmbedder(), FusingEmbedder)
    searching = searcher(embedder=Fusing(), red=png((255, 0, 0)))
    queries = [Query(text="red"), Query(text="green", image="/red.png"), Query(image="/red.png")]
    assert [answer.results[0].id for answer in searching.search_all(queries)] == ["red", "blue", "red"]


def test_a_picture_can_be_its_bytes() -> None:
    answer = searcher().search(Query(image=png((0, 0, 255)), limit=1))
    assert [result.id for result in answer.results] == ["blue"]
    assert answer.to_dict()["query"]["image"] == "(given as bytes)"


def test_several_queries_are_encoded_and_retrieved_together() -> None:
    embedder = FakeEmbedder()
    searching = searcher(embedder=embedder)
    answers = searching.search_all([Query(text="red"), Query(text="blue"), Query(text="red", target="text")])
    assert [answer.results[0].id for answer in answers] == ["red", "blue", "red"]
    assert asked(searching) == [("image_embedding", 10), ("text_embedding", 10)]
    assert embedder.meter.answered == 1


def test_not_too_many_pictures_are_in_memory_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    searching = searcher(red=png((255, 0, 0)))
    colours = [Query(image=png((number, 0, 255 - number)), limit=1) for number in range(150)]
    asked_for: list[int] = []
    embed = FakeEmbedder.embed_pictures

    def counted(self: FakeEmbedder, pictures: Sequence[Picture]) -> list[Vector | RowError]:
        asked_for.append(len(pictures))
        return embed(self, pictures)

    monkeypatch.setattr(FakeEmbedder, "embed_pictures", counted)
    vectors = searching.encoder.encode([*colours, Query(text="red"), *colours[-3:]])
    assert asked_for == [64, 64, 22]
    assert len(vectors) == 154
    assert [vector.tolist() for vector in vectors[-3:]] == [vector.tolist() for vector in vectors[147:150]]


@dataclass
class CountedRetriever(ColourRetriever):
    """Counts the vectors of each call."""

    many: list[int] = field(default_factory=list)

    def nearest(
        self,
        field: str,
        vectors: Sequence[Vector],
        limit: int,
        where: Condition | None,
        fields: Sequence[str] | None = None,
    ) -> list[list[Result]]:
        self.many.append(len(vectors))
        return [[] for _ in vectors]


def test_not_too_many_results_are_asked_for_at_once() -> None:
    retriever = CountedRetriever()
    searching = replace(searcher(), retriever=retriever)
    vectors = [np.zeros(FakeEmbedder().description.dim or 0, np.float32)] * 2_500
    assert len(searching.search_vectors([Query(text="red", limit=1)] * 2_500, vectors)) == 2_500
    assert retriever.many == [1_000, 1_000, 500]
    searching.search_vectors([Query(text="red", limit=500)] * 5, vectors[:5])
    assert retriever.many[3:] == [4, 1]


def test_a_filter_leaves_out_and_is_checked() -> None:
    assert names(searcher(), text="red", where="price > 20 and sku == 'b'") == ["yellow", "blue"]
    assert names(searcher(), text="red", where="rare == 1") == []
    with pytest.raises(ConfigError, match="There is no field pice") as error:
        searcher().search(Query(text="red", where="pice < 3"))
    assert "Did you mean price? Known fields are uri, caption, price" in error.value.remedy


def test_an_offset_leaves_out_the_best() -> None:
    everything = names(searcher(), text="red")
    assert names(searcher(), text="red", limit=2, offset=2) == everything[2:4]


def test_a_score_that_is_too_low_is_left_out() -> None:
    results = searcher().search(Query(text="red")).results
    assert names(searcher(), text="red", min_score=results[1].score) == [result.id for result in results[:2]]


def test_a_boost_moves_up_what_is_in_stock() -> None:
    searching = searcher(candidates=5)
    assert names(searching, text="red", limit=1) == ["red"]
    assert names(searching, text="red", limit=1, boosts={"stock": 1000.0}) in (["green"], ["blue"])
    assert names(searching, text="red", limit=1, boosts={"price == 50": 1000.0}) == ["grey"]
    with pytest.raises(ConfigError, match="price holds numbers"):
        searching.search(Query(text="red", boosts={"price == 'a'": 2.0}))
    with pytest.raises(ConfigError, match="over 0"):
        searching.search(Query(text="red", boosts={"stock": 0.0}))


def test_one_of_each_group_is_shown_and_more_are_looked_for() -> None:
    searching = searcher(candidates=1)
    found = names(searching, text="red", limit=4, group_by="sku")
    assert found == ["red", "yellow", "grey"]  # grey has none, and is a group of its own
    assert asked(searching) == [("image_embedding", 1), ("image_embedding", 4), ("image_embedding", 16)]


def test_of_what_is_only_looked_at_no_more_is_fetched_than_rules_need() -> None:
    searching = searcher(candidates=1)
    results = searching.search(Query(text="red", limit=1, offset=2, group_by="sku", boosts={"price > 45": 1.5})).results
    assert [(result.id, result.uri, result.metadata) for result in results] == [
        ("yellow", "/yellow.png", METADATA["yellow"])
    ]
    assert isinstance(searching.retriever, ColourRetriever)
    assert searching.retriever.whole == 2  # the first step's, and the one that is shown


def test_groups_are_not_looked_for_below_the_least_score() -> None:
    searching = searcher(candidates=2)
    second = searcher().search(Query(text="red")).results[1].score
    found = names(searching, text="red", limit=4, group_by="sku", min_score=second)
    assert found == ["red", "yellow"]
    assert asked(searching) == [("image_embedding", 2), ("image_embedding", 8)]
    assert names(searching, text="red", limit=4, group_by="sku", min_score=second + 1e-6) == ["red"]
    assert asked(searching)[2:] == [("image_embedding", 2)]


def test_where_both_are_searched_enough_that_score_enough_are_looked_for() -> None:
    searching = searcher(candidates=1)
    answer = searching.search(Query(text="red", target="both", limit=3, min_score=0.0))
    assert len(answer.results) == 3
    assert all(result.scores["both"] >= 0 and result.uri for result in answer.results)
    assert [limit for _, limit in asked(searching)] == [1, 4]


@pytest.mark.parametrize(
    "rules",
    [{"boosts": {"price > 25": 1.5}}, {"group_by": "sku"}, {"target": "both"}, {"target": "both", "min_score": 0}],
)
def test_pages_neither_repeat_nor_leave_out(rules: dict[str, object]) -> None:
    whole = names(searcher(candidates=1), text="red", limit=5, **rules)
    pages = [names(searcher(candidates=1), text="red", limit=1, offset=number, **rules) for number in range(len(whole))]
    assert [name for page in pages for name in page] == whole


def test_what_came_with_an_image_groups_it_and_is_not_shown() -> None:
    results = searcher().search(Query(text="red", group_by="run_id")).results
    assert sorted(result.id[0] for result in results) == ["b", "g", "r", "y"]
    assert all("run_id" not in result.metadata for result in results)


def test_conditions_that_read_alike_count_each() -> None:
    plain = searcher().search(Query(text="red", limit=1)).results[0].score
    [twice] = searcher().search(Query(text="red", limit=1, boosts={"price==10": 2.0, "price == 10": 3.0})).results
    assert twice.score == pytest.approx(6 * plain)


@pytest.mark.parametrize("score", [-0.5, 0.0, 0.5])
@pytest.mark.parametrize("factor", [1e308, 1e-308])
def test_no_boost_makes_a_score_that_is_no_number(score: float, factor: float) -> None:
    always = Comparison("id", "is not null")
    [result] = boosted([Result("a", score)], [(always, factor), (always, factor)])
    assert math.isfinite(result.score)
    assert (result.score > 0) - (result.score < 0) == (score > 0) - (score < 0)


@pytest.mark.parametrize(
    "asked",
    [
        {"text": "caf\udce9"},
        {"where": "`\ud800` == 1"},
        {"group_by": "\ud800"},
        {"min_score": math.nan},
        {"min_score": math.inf},
    ],
)
def test_what_is_no_text_and_no_number_is_refused(asked: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"is no Unicode|is no score"):
        searcher().search(Query(**{"text": "red", **asked}))  # type: ignore[arg-type]


def test_true_is_not_one() -> None:
    searching = searcher()
    searching.search_all([Query(text="red", where="rare == 1"), Query(text="red", where="rare == true")])
    assert isinstance(searching.retriever, ColourRetriever)
    assert [repr(where) for where in searching.retriever.wheres] == [
        "Comparison(field='rare', operator='==', values=(1,))",
        "Comparison(field='rare', operator='==', values=(True,))",
    ]


def test_a_reranker_changes_the_order_of_what_it_is_shown() -> None:
    plain = searcher().search(Query(text="red", limit=5))
    reranked = searcher().search(Query(text="red", limit=5, rerank=True))
    assert [result.id for result in reranked.results] == [result.id for result in plain.results][::-1]
    assert (reranked.reranked, reranked.results[0].reason) == (True, "why not")
    assert "rerank" in reranked.timings_ms
    with pytest.raises(ConfigError, match=r"rerank\.provider"):
        replace(searcher(), reordering=None).search(Query(text="red", rerank=True))


def test_what_comes_after_the_candidates_is_shown_to_no_reranker() -> None:
    searching = searcher()
    searching = replace(searching, config=searching.config.model_copy(update={"rerank": RerankConfig(candidates=3)}))
    plain = names(searching, text="red", limit=2, offset=3)
    answer = searching.search(Query(text="red", limit=2, offset=3, rerank=True))
    assert [result.id for result in answer.results] == plain
    assert (answer.reranked, answer.notes) == (
        False,
        ("Not reranked: only the first 3 results are, and these come after them.",),
    )
    assert searching.search(Query(text="red", limit=2, offset=2, rerank=True)).reranked


@pytest.mark.parametrize("window", [{"limit": 0}, {"offset": -1}, {"limit": 10, "offset": 16_380}])
def test_what_milvus_does_not_reach_is_refused(window: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="limit is"):
        searcher().search(Query(text="red", **window))


def test_one_picture_to_search_with_is_decoded_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight of 100 megapixels at once took 3.5 GB."""
    busy, most = 0, 0

    def slow(content: bytes, **limits: Any) -> object:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        time.sleep(0.02)
        busy -= 1
        return decode(content, **limits)

    monkeypatch.setattr("tuku.search.encode.decode", slow)
    searching, picture = searcher(), png((255, 0, 0))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: searching.search(Query(image=picture)), range(8)))
    assert (most, len(found)) == (1, 8)
