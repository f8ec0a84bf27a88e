"""Search on an embedded Milvus, from the collection's fields to the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import cast
from unittest.mock import ANY

import grpc
import pytest
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from fakes import memory_lake
from fakes.memory_lake import DIM, MODEL, MemoryLake, configured, images, unit_vectors, with_metadata
from milvus_server import MilvusServer
from support import Tuku
from tuku.config import Config, SearchConfig
from tuku.errors import ConfigError
from tuku.milvus.connect import connected
from tuku.milvus.reader import require_searchable
from tuku.runtime.retrieving import MilvusRetriever
from tuku.runtime.searching import open_searcher
from tuku.runtime.stored import some_images
from tuku.search import Query, Result, Searcher
from tuku.search.encode import Encoder
from tuku.search.feedback import Click, write_clicks
from tuku.search.known_fields import checked
from tuku.search.where import read_where
from tuku.storage import DiskStorage

pytestmark = pytest.mark.milvus

IMAGES = 300


def lake() -> MemoryLake:
    table = images([f"i{number}" for number in range(IMAGES)], "r1")
    brands = ["Nike", "李宁", "O'Neill", 'say "hi"']
    rows = [
        {"price": number / 2, "brand": brands[number % 4], "stock": number % 3, "价格": number % 3}
        for number in range(IMAGES)
    ]
    rows[7]["rare"] = "once"
    return MemoryLake(with_metadata(table, rows))


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Config:
    folder = tmp_path_factory.mktemp("search")
    config = configured(str(folder / "milvus.db"))
    memory_lake.run(config, lake(), folder / "ledgers", "r1")
    return config


@pytest.fixture
def client(config) -> Iterator[MilvusClient]:
    with connected(config.milvus, create=False) as client:
        require_searchable(client, config.milvus, MODEL, DIM)
        yield client


@pytest.mark.parametrize("fusion", ["rrf", "weighted"])
@pytest.mark.parametrize("where", [None, "price < 60 and brand != 'Nike'"])
def test_fused_here_is_as_milvus_fuses(config, client, fusion: str, where: str | None):
    retriever = MilvusRetriever(client, config.milvus, SearchConfig(fusion=fusion, text_weight=0.3, candidates=50))
    condition = None if where is None else read_where(where)
    queries = list(unit_vectors(20, 9))
    theirs = retriever.fused(queries, 100, condition)
    ours = [
        retriever.scored(query, results[:100])
        for query, results in zip(queries, retriever.fused_here(queries, 100, condition), strict=True)
    ]
    for found, here in zip(theirs, ours, strict=True):
        assert [result.score for result in found] == pytest.approx([result.score for result in here], abs=1e-5)
        same = {result.id: result for result in here}
        # Equal scores may come in either order, and either may be the last.
        both = [result for result in found if result.id in same]
        assert len(both) >= len(found) - 2
        for result in both:
            assert result.score == pytest.approx(same[result.id].score, abs=1e-5)
            assert set(result.scores) == {"image_embedding", "text_embedding"}
            assert result.scores == pytest.approx(same[result.id].scores, abs=1e-5)
            assert replace(result, score=0.0, scores={}) == replace(same[result.id], score=0.0, scores={})


def test_a_least_score_in_both_looks_at_all_that_reach_it(config, client):
    """By fusion the image that is best in one field alone is far down."""
    retriever = MilvusRetriever(client, config.milvus, SearchConfig())
    searching = Searcher(
        config.model_copy(update={"search": SearchConfig(candidates=4)}), cast("Encoder", None), retriever
    )
    [query] = unit_vectors(1, 9)
    every = retriever.fused([query], IMAGES, None)[0]
    least = sorted(max(result.scores.values()) for result in every)[-40]
    asked = Query(text="x", target="both", limit=60, min_score=least - 1e-6)
    [answer] = searching.search_vectors([asked], [query])
    wanted = {result.id for result in every if max(result.scores.values()) >= least - 1e-6}
    assert {result.id for result in answer.results} == wanted
    for result in answer.results:
        assert set(result.scores) == {"image_embedding", "text_embedding"}
        assert result.uri
        assert result.caption


@pytest.mark.parametrize("target", ["image", "both"])
def test_groups_far_down_are_found_with_their_rows(config, client, target: str):
    retriever = MilvusRetriever(client, config.milvus, SearchConfig())
    searching = Searcher(
        config.model_copy(update={"search": SearchConfig(candidates=2)}), cast("Encoder", None), retriever
    )
    [query] = unit_vectors(1, 9)
    rules = {"target": target, "boosts": {"price > 100": 1.01}}
    lean = retriever.nearest("image_embedding", [query], 20, None, ["价格", "brand"])[0]
    assert {(*sorted(result.metadata), result.uri, result.caption) for result in lean} == {("brand", "价格", "", "")}
    for field, groups in [("brand", 4), ("价格", 3), ("keywords", 10), ("run_id", 1)]:
        asked = Query(text="x", limit=10, group_by=field, **rules)
        [answer] = searching.search_vectors([asked], [query])
        assert len(answer.results) == groups
        stored = retriever.images([result.id for result in answer.results])
        for result in answer.results:
            assert replace(result, score=0.0, scores={}) == stored[result.id]


def test_a_milvus_that_cannot_fuse_is_helped(config, client, monkeypatch):
    def unknown(*_arguments: object, **_options: object) -> None:
        raise MilvusException(grpc.StatusCode.UNIMPLEMENTED, "unknown method HybridSearch")

    retriever = MilvusRetriever(client, config.milvus, SearchConfig())
    query = list(unit_vectors(1, 9))
    [helped] = retriever.fused(query, 5, None)
    monkeypatch.setattr(client, "hybrid_search", unknown)
    [alone] = retriever.fused(query, 5, None)
    assert [result.score for result in alone] == pytest.approx([result.score for result in helped], abs=1e-5)
    assert [result.scores for result in alone] == [pytest.approx(result.scores, abs=1e-5) for result in helped]


def test_fields_are_known_with_their_values_and_rare_ones_are_found(config, client):
    retriever = MilvusRetriever(client, config.milvus, SearchConfig())
    known = retriever.fields()
    assert known["brand"].kinds == {"text"}
    assert known["brand"].values["李宁"] == IMAGES / 4
    assert known["price"].kinds == {"number"}
    assert known["keywords"].kinds == {"list"}
    assert retriever.has_field("rare")
    assert not retriever.has_field('x"] or $meta["price')
    assert set(retriever.images(["i3", "nope", "i3"])) == {"i3"}


def test_some_images_are_those_that_meet_a_filter(client, config):
    retriever = MilvusRetriever(client, config.milvus, SearchConfig())
    assert len(some_images(retriever, 20, None)) == 20
    found = some_images(retriever, 20, "price < 10 and brand == 'Nike'")
    assert {each.id for each in found} == {"i0", "i4", "i8", "i12", "i16"}
    assert all(each.metadata["brand"] == "Nike" and each.uri and not each.scores for each in found)
    with pytest.raises(ConfigError, match="pryce"):
        some_images(retriever, 20, "pryce < 10")


@pytest.mark.parametrize(
    ("where", "right"),
    [
        ("price < 10", lambda row: row["price"] < 10),
        (
            "brand in ['Nike', '李宁'] and price between 20 and 40",
            lambda row: row["brand"] in {"Nike", "李宁"} and 20 <= row["price"] <= 40,
        ),
        ("brand == 'O''Neill'", lambda row: row["brand"] == "O'Neill"),
        ("brand == 'say \"hi\"' or stock == 2", lambda row: row["brand"] == 'say "hi"' or row["stock"] == 2),
        ("not (price >= 10 or stock != 1)", lambda row: row["price"] < 10 and row["stock"] == 1),
        ("keywords contains '12'", lambda row: row["id"] == "i12"),
        ("id == 'i5'", lambda row: row["id"] == "i5"),
        ("caption like '第5%'", lambda row: row["id"][1] == "5"),
        ("rare is not null", lambda row: row["id"] == "i7"),
    ],
)
def test_filters_leave_what_they_say(config, client, where: str, right):
    retriever = MilvusRetriever(client, config.milvus, SearchConfig())
    condition = checked(read_where(where), retriever.fields(), retriever.has_field)
    [found] = retriever.nearest("image_embedding", [unit_vectors(1, 5)[0]], IMAGES, condition)
    rows = [{"id": row["image_id"], **json.loads(row["metadata"])} for row in lake().view.values()]
    assert {result.id for result in found} == {row["id"] for row in rows if right(row)}
    assert found


@pytest.mark.long
def test_prices_and_brands_on_a_server_with_one_vector(tmp_path: Path):
    """System D's filters on the picture's vector."""
    with MilvusServer(tmp_path / "milvus") as server:
        config = configured(server.uri, milvus={"vectors": ["image"]})
        memory_lake.run(config, lake(), tmp_path / "ledgers", "r1")
        with connected(config.milvus, create=False) as client:
            retriever = MilvusRetriever(client, config.milvus, SearchConfig())
            condition = checked(
                read_where("price between 10 and 60 and brand == 'O''Neill' and stock > 0"),
                retriever.fields(),
                retriever.has_field,
            )
            vector = unit_vectors(1, 5)[0]
            [found] = retriever.nearest("image_embedding", [vector], 10, condition)
            [unfiltered] = retriever.nearest("image_embedding", [vector], IMAGES, None)
    wanted = [
        result.id
        for result in unfiltered
        if 10 <= result.metadata["price"] <= 60
        and result.metadata["brand"] == "O'Neill"
        and result.metadata["stock"] > 0
    ]
    assert [result.id for result in found] == wanted[:10]
    assert len(found) == 10


@pytest.fixture(scope="module")
def demo(tmp_path_factory, catalogue) -> Tuku:
    """The command line, with the demo's catalogue loaded."""
    tuku = Tuku(tmp_path_factory.mktemp("demo"))
    done = tuku("ingest", catalogue)
    assert done.code == 0, done.err
    return tuku


def test_searching_the_demos_catalogue(demo, catalogue, tmp_path):
    picture = str(catalogue.parent / "photographs" / "猫.png")
    milvus = {"uri": str(demo.folder / "milvus.db")}
    with open_searcher(Config.model_validate({"milvus": milvus})) as searcher:
        _rules(searcher)
        composed = searcher.search(Query(text="a cup of coffee", image=picture, limit=20)).results
    captions = " ".join(result.caption for result in composed)
    assert "cat" in captions
    assert "espresso" in captions

    options = ["--where", "price < 100 and category in ['animals', 'x']", "--group-by", "source", "--boost", "price=2"]
    answer = demo("search", "a cat", "--in", "both", *options, "--min-score", "0.1", "--offset", "0", "--json")
    assert answer.code == 0, answer.err
    assert [set(row["scores"]) for row in answer.json["results"]] == [{"image_embedding", "text_embedding"}]
    wrong = demo("search", "a cat", "--where", "pryce < 100")
    assert (wrong.code, "Did you mean price?" in wrong.err) == (2, True)
    unclear = demo("search", "a cat", "--where", "price < 100 and")
    assert (unclear.code, "price < 100 and▸" in unclear.err) == (2, True)

    queries = _lines(tmp_path / "queries.jsonl", {"text": "a cat"}, {"text": "a motorcycle"}, {"image": picture})
    many = demo("search", "--queries", queries, "--limit", "2", "--json").json["answers"]
    assert [len(answer["results"]) for answer in many] == [2, 2, 2]
    results = tmp_path / "results.html"
    assert demo("search", "a cat", "--html", results).code == 0
    text = results.read_text(encoding="utf-8")
    assert "data:image/jpeg" in text
    assert "<script" not in text


def test_evaluating_the_demos_catalogue_beside_another_collection(demo, catalogue, tmp_path):
    picture = str(catalogue.parent / "photographs" / "猫.png")
    queries = _lines(
        tmp_path / "queries.jsonl",
        {"text": "a cat", "relevant": ["猫", "猫-face", "猫-eyes"]},
        {"text": "a motorcycle", "relevant": ["motorcycle"]},
        {"text": "anything", "where": "category == 'vehicles'", "relevant": ["motorcycle"]},
        {"text": "a cat on a <sofa>", "where": "category == 'animals'", "relevant": ["motorcycle"]},
        {"image": picture, "relevant": ["猫"]},
    )
    assert demo("load", "--strategy", "rebuild").code == 0
    rows = demo("collections", "--json").json["collections"]
    [other] = [row["name"] for row in rows if not row["live"]]
    page = tmp_path / "evaluation.html"
    evaluated = demo("evaluate", queries, "--compare", other, "--html", page, "--json").json
    compared = evaluated["compared"]
    assert compared["collection"] == other
    for found in (evaluated, compared):
        assert set(found["modes"]) == {"text-to-image", "text-to-text", "image-to-image", "image-to-text", "both"}
        assert found["modes"]["both"]["queries"] == 5
        assert found["modes"]["text-to-image"] == {
            "queries": 4,
            "recall@1": ANY,
            "recall@5": ANY,
            "recall@10": 0.75,
            "mrr": ANY,
            "ndcg@10": ANY,
        }
        assert found["modes"]["image-to-image"]["recall@1"] == 1.0
        assert found["ann_recall@10"]["image-to-image"] == 1.0
        assert 0 < found["latency_ms"]["p50"] <= found["latency_ms"]["p95"]
    assert compared["modes"] == evaluated["modes"]
    text = page.read_text(encoding="utf-8")
    missed = text[text.index("text-to-image: what was missed most") :]
    assert "a cat on a &lt;sofa&gt;" in missed
    assert "category == &#39;animals&#39;" in missed
    assert "data:image/jpeg" in missed
    assert other in text


def test_evaluating_what_was_clicked_on(demo, tmp_path):
    cat = Click(datetime.now(timezone.utc), "a cat", None, "image", None, ("猫",), "猫", 1, "0.1.0")
    clicks = [replace(cat, where=where) for where in (None, "price < 10000", "pryce < 9", "garbage")]
    write_clicks(DiskStorage(demo.lake), [*clicks, replace(cat, text=" ")])
    file = tmp_path / "clicks.jsonl"
    evaluated = demo("evaluate", file, "--from-feedback", "--json")
    assert evaluated.code == 0, evaluated.err
    assert evaluated.json["modes"]["text-to-image"]["queries"] == 2
    assert evaluated.json["modes"]["text-to-image"]["recall@10"] == 1.0
    assert "3 of 5 queries from feedback were left out" in evaluated.json["notes"][0]
    assert len(file.read_text(encoding="utf-8").splitlines()) == 2
    again = demo("evaluate", file, "--from-feedback")
    assert (again.code, "does not overwrite" in again.err) == (2, True)

    queries = _lines(
        tmp_path / "queries.jsonl",
        {"text": "a cat", "relevant": ["猫"]},
        {"text": "a cat", "where": "pryce < 9", "relevant": ["猫"]},
    )
    wrong = demo("evaluate", queries)
    assert (wrong.code, "queries.jsonl, line 2: There is no field pryce" in wrong.err) == (2, True)


def _lines(file: Path, *queries: dict[str, object]) -> Path:
    file.write_text("".join(f"{json.dumps(query)}\n" for query in queries), encoding="utf-8")
    return file


def _rules(searcher: Searcher) -> None:
    def found(text: str, **asked: object) -> list[Result]:
        return list(searcher.search(Query(text=text, **asked)).results)

    cheap = found("an animal", where="price < 100 and category in ['animals', 'x']", limit=50)
    assert cheap
    assert all(each.metadata["price"] < 100 and each.metadata["category"] == "animals" for each in cheap)
    grouped = found("a cat", group_by="source", limit=8)
    assert len({each.metadata["source"] for each in grouped}) == len(grouped) == 8
    plain, boosted = found("a cat", limit=59), found("a cat", limit=59, boosts={"category == 'vehicles'": 50})
    assert {each.id for each in boosted} == {each.id for each in plain}
    assert boosted[0].metadata["category"] == "vehicles"
    assert found("a cat", limit=3, offset=2) == plain[2:5]
    assert found("a cat", min_score=plain[1].score) == plain[:2]
