"""Rankings by the real SDK on a local endpoint that speaks OpenAI's protocol."""

from __future__ import annotations

import time

import pytest

from fakes.colours import plain_picture
from fakes.dashscope import DashScopeServer, Faults, Settings
from fakes.recording_quota import RecordingQuota
from tuku.config import RerankConfig, RetryConfig
from tuku.errors import STOPPED, ConfigError
from tuku.protocols_ranking import Ranked, RankingQuestion, VisionRanker
from tuku.providers.factory import Access
from tuku.providers.registry import create_reranker, describe_reranker, require_reranker_environment
from tuku.search.ranking_check import breach_of

KEY = "sk-2b7c1d55e8f94a01a3c6"
MODEL = "qwen3-vl-flash"
QUESTION = RankingQuestion(("red", "green", "blue"), "phone case with this")
GRID = plain_picture(7, 256)
BEST_LAST = [Ranked(n, f"candidate {n} fits at place {4 - n}") for n in (3, 2, 1)]


@pytest.fixture(scope="module")
def shared_server():
    with DashScopeServer(Settings(keys=(KEY,))) as server:
        yield server


@pytest.fixture
def server(shared_server, monkeypatch):
    shared_server.configure(faults=Faults(), ranking="plain", json_mode=True)
    shared_server.reset()
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return shared_server


@pytest.fixture
def ranker_of(server):
    def make(**config):
        config = {"model": MODEL, "base_url": server.compatible_url, **config}
        retry = RetryConfig(attempts=2, first_wait_s=0.01)
        return create_reranker(RerankConfig(provider="openai", **config), Access(RecordingQuota(), retry))

    return make


@pytest.mark.parametrize("form", ["plain", "prose", "fenced"])
def test_candidates_are_ranked(ranker_of, server, form):
    server.configure(ranking=form)
    ranker = ranker_of(max_tokens=500, parameters={"temperature": 0.0, "top_k": 1})
    assert isinstance(ranker, VisionRanker)
    assert ranker.rank(QUESTION, GRID, 5) == BEST_LAST
    assert ranker.take_usage().requests == 1


@pytest.mark.parametrize("form", ["dropped", "invented", "doubled", "no_json"])
def test_an_order_that_is_none_is_told_as_it_is(ranker_of, server, form):
    server.configure(ranking=form)
    assert breach_of(ranker_of().rank(QUESTION, GRID, 5), 3) is not None


def test_an_endpoint_without_json_mode_is_asked_without(ranker_of, server):
    server.configure(json_mode=False)
    ranker = ranker_of()
    assert [ranker.rank(QUESTION, GRID, 5) for _ in range(2)] == [BEST_LAST] * 2
    assert server.counters()["models"][MODEL]["requests"] == 3


def test_it_gives_up_in_time(ranker_of, server):
    server.configure(faults={"hang": 1.0})
    started_s = time.monotonic()
    assert ranker_of().rank(QUESTION, GRID, 0.3).code == "timeout"
    assert time.monotonic() - started_s < 5


def test_a_refused_key_is_said_and_not_shown(ranker_of, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", wrong := KEY[::-1])
    outcome = ranker_of().rank(QUESTION, GRID, 5)
    assert (outcome.code, wrong in repr(outcome)) == (STOPPED, False)


def test_it_says_what_a_picture_shows(ranker_of):
    assert "picture" in ranker_of().look(plain_picture(1), 5)


def test_what_is_missing_is_found_before_any_request(server, monkeypatch):
    with pytest.raises(ConfigError, match=r"rerank\.model is not set"):
        describe_reranker(RerankConfig(provider="openai"))
    with pytest.raises(ConfigError, match=r"rerank\.parameters\.response_format "):
        describe_reranker(RerankConfig(provider="openai", model=MODEL, parameters={"response_format": "x"}))
    with pytest.raises(ConfigError, match=r"rerank\.base_url is not set"):
        require_reranker_environment(RerankConfig(provider="openai", model=MODEL))
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ConfigError, match=r"rerank\.provider openai needs a key"):
        require_reranker_environment(RerankConfig(provider="openai", model=MODEL, base_url="http://127.0.0.1:1/v1"))
