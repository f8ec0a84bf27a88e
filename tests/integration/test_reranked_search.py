"""Reference system C on Milvus Lite: a picture and "phone case with this", nine results, reranked with a reason.

The models are those of the local DashScope, asked by the real SDKs: it knows colours, and ranks as it is told to.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fakes.dashscope import DashScopeServer, Fatal, Settings
from support import Tuku
from tuku.config import CaptionConfig, Config, EmbedConfig, MilvusConfig, RerankConfig, RetryConfig
from tuku.errors import ConfigError
from tuku.milvus import collection
from tuku.milvus.capabilities import ask
from tuku.milvus.connect import connected
from tuku.milvus.index import build_indexes
from tuku.protocols import Picture
from tuku.providers.registry import create_embedder, describe_embedder
from tuku.runtime.access import local_access
from tuku.runtime.searching import open_searcher, search
from tuku.search.query import Query

pytestmark = pytest.mark.milvus

EMBED = {"provider": "dashscope", "model": "tongyi-embedding-vision-plus", "dim": 64}
CAPTIONER = CaptionConfig(provider="dashscope", model="qwen3-vl-plus")
LOOKS = "qwen3-vl-flash"
CASES = 12


@pytest.fixture(scope="module")
def running() -> Iterator[DashScopeServer]:
    with DashScopeServer() as server:
        yield server


@pytest.fixture
def server(running, monkeypatch) -> DashScopeServer:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OPENAI_API_KEY", running.environment["DASHSCOPE_API_KEY"])
    running.configure(**Settings().model_dump(mode="json"))
    running.reset()
    return running


@pytest.fixture(scope="module")
def shop(running, tmp_path_factory) -> Path:
    """A folder with a picture of something leopard-like, of twelve phone cases, and the collection of these."""
    folder = tmp_path_factory.mktemp("shop")
    Image.new("RGB", (120, 90), (190, 120, 40)).save(folder / "leopard.png")
    embed = EmbedConfig(**EMBED, base_url=running.base_url)
    model = describe_embedder(embed)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("no_proxy", "127.0.0.1")
        environment.setenv("DASHSCOPE_API_KEY", running.environment["DASHSCOPE_API_KEY"])
        embedder = create_embedder(embed, local_access(model, Config()))
        rows = [_row(folder, number, embedder) for number in range(CASES)]
    milvus = MilvusConfig(uri=str(folder / "milvus.db"))
    with connected(milvus) as client:
        collection.create(client, milvus.collection, milvus, model.dim or 0, model.name)
        client.insert(milvus.collection, rows)
        build_indexes(client, milvus.collection, milvus, CASES, ask(client, Config(milvus=milvus)))
    return folder


def _row(folder: Path, number: int, embedder) -> dict[str, object]:
    path = folder / f"case-{number}.jpg"
    picture = Image.new("RGB", (160, 200), (190 - 9 * number, 120 + 5 * number, 40 + 8 * number))
    picture.save(path)
    [vector] = embedder.embed_pictures([Picture(np.asarray(picture), f"{number:064x}")])
    caption = f"phone case {number}"
    texts = {
        "run_id": "r",
        "caption_model": "m",
        "embed_model": "m",
        "content_sha256": "0",
        "image_description": caption,
    }
    vectors = {"image_embedding": vector, "text_embedding": vector}
    return {"id": f"case-{number}", "origin": str(path), "keywords": ["case"], "price": 10 + number, **texts, **vectors}


def configured(shop: Path, server: DashScopeServer, **rerank: object) -> Config:
    return Config(
        caption=CAPTIONER,
        embed=EmbedConfig(**EMBED),
        rerank=RerankConfig(**{"provider": "dashscope", "timeout_s": 20, **rerank}),
        milvus=MilvusConfig(uri=str(shop / "milvus.db")),
        retry=RetryConfig(attempts=2, first_wait_s=0.01, max_wait_s=0.01),
    )


def composed(shop: Path, *, rerank: bool = True) -> Query:
    return Query(text="phone case with this", image=str(shop / "leopard.png"), limit=9, rerank=rerank)


def ids(answer) -> list[str]:
    return [result.id for result in answer.results]


def requests(server: DashScopeServer, model: str) -> int:
    models = server.counters()["models"]
    return models[model]["requests"] if model in models else 0


@pytest.mark.parametrize("provider", ["dashscope", "openai"])
def test_nine_cases_are_reranked_by_a_model_that_first_drops_one(shop, server, provider) -> None:
    plain, _ = search(configured(shop, server), composed(shop, rerank=False))
    assert len(plain.results) == 9
    server.configure(ranking="dropped_once", ranking_order=[4, 2, 9, 1, 3, 5, 6, 7, 8])
    where = {"base_url": server.compatible_url, "model": LOOKS} if provider == "openai" else {}
    answer, _ = search(configured(shop, server, provider=provider, **where), composed(shop))
    assert (answer.reranked, answer.notes) == (True, ())
    assert ids(answer) == [ids(plain)[number - 1] for number in (4, 2, 9, 1, 3, 5, 6, 7, 8)]
    assert answer.results[0].reason == "candidate 4 fits at place 1"
    assert answer.results[0].metadata["price"] == 10 + int(answer.results[0].id.removeprefix("case-"))
    assert answer.timings_ms["rerank"] > 0
    assert requests(server, LOOKS) == 2
    assert requests(server, "qwen3-vl-plus") == 1  # the captioner has said what the query's picture shows


def test_a_model_that_drops_one_again_changes_nothing(shop, server) -> None:
    plain, _ = search(configured(shop, server), composed(shop, rerank=False))
    server.configure(ranking="dropped")
    answer, _ = search(configured(shop, server), composed(shop))
    note = "Not reranked: the reranker left out 1 of 9 candidates; the order is that of the retrieval."
    assert (answer.reranked, answer.notes, answer.results) == (False, (note,), plain.results)
    assert requests(server, LOOKS) == 2


@pytest.mark.parametrize("form", ["invented", "doubled", "no_json"])
def test_no_answer_brings_in_what_was_not_found(shop, server, form) -> None:
    plain, _ = search(configured(shop, server), composed(shop, rerank=False))
    server.configure(ranking=form)
    answer, _ = search(configured(shop, server), composed(shop))
    assert (answer.reranked, answer.results) == (False, plain.results)
    server.configure(ranking=f"{form}_once")
    answer, _ = search(configured(shop, server), composed(shop))
    assert (answer.reranked, ids(answer)) == (True, ids(plain)[::-1])


def test_a_rerank_model_says_how_relevant_each_is(shop, server) -> None:
    answer, _ = search(configured(shop, server, model="qwen3-vl-rerank", candidates=12), composed(shop))
    assert (answer.reranked, len(answer.results)) == (True, 9)
    relevances = [float(result.reason.removeprefix("relevance ")) for result in answer.results]
    assert relevances == sorted(relevances, reverse=True)
    assert requests(server, "qwen3-vl-rerank") == 1


@pytest.fixture(scope="module")
def other() -> Iterator[DashScopeServer]:
    """A service for the reranker alone, so that the query can be encoded."""
    with DashScopeServer() as server:
        yield server


@pytest.mark.parametrize("model", [LOOKS, "qwen3-vl-rerank"])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"faults": {"hang": 1.0}}, "it took longer than rerank.timeout_s (1 s)"),
        ({"faults": {"bad_item": 1.0}}, "gave no ranking: content_refused: DataInspectionFailed"),
        ({"faults": {"truncated_json": 1.0}}, "gave no ranking: bad_answer: "),
        ({"fatal": Fatal(code="InvalidApiKey")}, "DashScope does not accept the key (InvalidApiKey"),
    ],
)
def test_a_service_that_fails_ends_no_search(shop, server, other, caplog, model, changes, said) -> None:
    caplog.set_level(logging.DEBUG, "tuku")
    other.configure(**Settings().model_dump(mode="json"))
    other.configure(**changes)
    timeout_s = 1.0 if "timeout_s" in said else 8.0
    config = configured(shop, server, model=model, timeout_s=timeout_s, base_url=other.base_url)
    with open_searcher(config) as searcher:
        plain = searcher.search(Query(text="phone case", limit=9))
        started_s = time.monotonic()
        answer = searcher.search(Query(text="phone case", limit=9, rerank=True))
        assert time.monotonic() - started_s < 10
        assert (answer.reranked, answer.results) == (False, plain.results)
        [note] = answer.notes
        assert said in note
        assert note.endswith("; the order is that of the retrieval.")
        assert "sk-local" not in note + caplog.text
        # Whatever it was, it is over: a process that lives on reranks again.
        other.configure(**Settings().model_dump(mode="json"))
        assert searcher.search(Query(text="phone case", limit=9, rerank=True)).reranked


def test_being_throttled_ends_no_search_either(shop, server, other) -> None:
    other.configure(**Settings(limits={"requests_per_min": 1}).model_dump(mode="json"))
    other.reset()
    config = configured(shop, server, timeout_s=1.0, base_url=other.base_url)
    with open_searcher(config) as searcher:
        first, second = (searcher.search(Query(text="phone case", limit=9, rerank=True)) for _ in range(2))
    assert (first.reranked, second.reranked) == (True, False)
    assert second.notes[0].startswith("Not reranked: ")


def test_what_is_missing_is_said_before_any_search(shop, server, monkeypatch) -> None:
    server.reset()
    with pytest.raises(ConfigError, match=r"rerank\.provider is 'cohere'"):
        search(configured(shop, server, provider="cohere"), composed(shop))
    with pytest.raises(ConfigError, match=r"rerank\.quota\.tokens_per_min is 5"):
        search(configured(shop, server, quota={"tokens_per_min": 5}), composed(shop))
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ConfigError, match=r"rerank\.provider openai needs a key"):
        search(configured(shop, server, provider="openai", model="m", base_url=server.compatible_url), composed(shop))
    assert server.counters()["arrived"] == 0


def test_a_search_without_reranking_loads_no_reranker(shop, server, monkeypatch) -> None:
    monkeypatch.setattr("tuku.runtime.reranking.create_reranker", None)
    monkeypatch.setattr("tuku.runtime.reranking.create_captioner", None)
    answer, _ = search(configured(shop, server), composed(shop, rerank=False))
    assert (len(answer.results), answer.reranked, answer.notes) == (9, False, ())


def test_without_captions_the_model_says_what_the_querys_picture_shows(shop, server) -> None:
    config = configured(shop, server).model_copy(update={"caption": CaptionConfig(provider="none")})
    answer, _ = search(config, composed(shop))
    assert answer.reranked
    assert (requests(server, LOOKS), requests(server, "qwen3-vl-plus")) == (2, 0)  # it looks, and it ranks


def test_the_command_line_shows_order_and_reasons(shop, server, tmp_path) -> None:
    tuku = Tuku(tmp_path)
    options = ["--set", "embed.provider=dashscope", "--set", f"embed.model={EMBED['model']}", "--set", "embed.dim=64"]
    options += ["--set", f"milvus.uri={shop / 'milvus.db'}", "--set", "rerank.provider=dashscope", "--rerank"]
    asked = ["phone case with this", "--image", shop / "leopard.png", "--limit", "9"]
    ran = tuku("search", *asked, *options, "--json")
    assert ran.code == 0, ran.err
    printed = json.loads(ran.out)
    assert (printed["reranked"], printed["notes"], len(printed["results"])) == (True, [], 9)
    assert printed["results"][0]["reason"] == "candidate 9 fits at place 1"
    server.configure(ranking="dropped")
    ran = tuku("search", *asked, *options)
    assert (ran.code, "left out 1 of 9 candidates; the order is that of the retrieval" in ran.out) == (0, True)
