"""Rankings by the real SDK on the local DashScope."""

from __future__ import annotations

import time

import numpy as np
import pytest

from fakes.colours import plain_picture
from fakes.dashscope import Fatal
from tuku.config import RerankConfig
from tuku.errors import STOPPED, RowError
from tuku.protocols import Picture
from tuku.protocols_ranking import Ranked, RankingQuestion, VisionRanker
from tuku.providers.registry import create_reranker
from tuku.search.ranking_check import breach_of

MODEL = "qwen3-vl-flash"
QUESTION = RankingQuestion(("red", "green", "blue", "grey"), "phone case with this")
GRID = plain_picture(7, 256)
BEST_LAST = [Ranked(n, f"candidate {n} fits at place {5 - n}") for n in (4, 3, 2, 1)]


@pytest.fixture
def ranker_of(server, access_of):
    def make(**config):
        return create_reranker(
            RerankConfig(provider="dashscope", base_url=server.base_url, candidates=4, **config), access_of()
        )

    return make


def requests(server) -> int:
    return server.counters()["models"][MODEL]["requests"]


def test_candidates_are_ranked_and_counted(ranker_of, server, quota):
    ranker = ranker_of()
    assert isinstance(ranker, VisionRanker)
    assert ranker.rank(QUESTION, GRID, 5) == BEST_LAST
    server.configure(ranking_order=[2, 4, 1, 3])
    assert [place.number for place in ranker.rank(QUESTION, GRID, 5)] == [2, 4, 1, 3]
    usage = ranker.take_usage()
    assert (usage.requests, usage.retries, requests(server)) == (2, 0, 2)
    assert usage.cost > 0
    assert quota.unsettled == 0


@pytest.mark.parametrize("form", ["prose", "fenced"])
def test_what_stands_around_the_json_does_not_matter(ranker_of, server, form):
    server.configure(ranking=form)
    assert ranker_of().rank(QUESTION, GRID, 5) == BEST_LAST


@pytest.mark.parametrize("form", ["dropped", "invented", "doubled", "no_json"])
def test_an_order_that_is_none_is_told_as_it_is(ranker_of, server, form):
    server.configure(ranking=form)
    places = ranker_of().rank(QUESTION, GRID, 5)
    assert breach_of(places, 4) is not None
    assert requests(server) == 1  # whether it is asked again is the search's affair


def test_a_model_that_takes_no_json_mode_is_asked_without(ranker_of, server):
    server.configure(json_mode=False)
    ranker = ranker_of()
    assert ranker.rank(QUESTION, GRID, 5) == BEST_LAST
    assert requests(server) == 2
    assert ranker.rank(QUESTION, GRID, 5) == BEST_LAST
    assert requests(server) == 3


def test_it_says_what_a_picture_shows(ranker_of):
    blue = Picture(np.full((64, 64, 3), (0, 0, 255), np.uint8), "blue")
    assert "blue" in ranker_of().look(blue, 5)


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_it_gives_up_in_time_and_calls_its_request_off(ranker_of, server, quota, retry_with, fault):
    retry_with({"request_timeout_s": 60.0})
    server.configure(faults={fault: 1.0})
    ranker = ranker_of()
    started_s = time.monotonic()
    for outcome in (ranker.rank(QUESTION, GRID, 0.3), ranker.look(GRID, 0.3)):
        assert isinstance(outcome, RowError)
        assert outcome.code == "timeout"
    assert time.monotonic() - started_s < 5
    until_s = time.monotonic() + 5
    while quota.unsettled and time.monotonic() < until_s:
        time.sleep(0.01)
    assert quota.unsettled == 0


@pytest.mark.parametrize(
    ("fault", "code"), [("length", "cut_ranking"), ("bad_item", "content_refused"), ("internal_error", "server_error")]
)
def test_faults_keep_their_kind(ranker_of, server, fault, code):
    server.configure(faults={fault: 1.0})
    outcome = ranker_of().rank(QUESTION, GRID, 5)
    assert isinstance(outcome, RowError)
    assert outcome.code == code


def test_being_throttled_is_waited_out(ranker_of, server, quota):
    server.configure(limits={"requests_per_min": 600, "burst_s": 0.1})
    ranker = ranker_of()
    for _ in range(4):
        assert ranker.rank(QUESTION, GRID, 5) == BEST_LAST
    assert {kind for _, kind, _ in quota.refused} <= {"requests"}


def test_a_refused_key_is_said_and_not_shown(ranker_of, server, quota, monkeypatch):
    monkeypatch.setenv("DASHSCOPE_API_KEY", wrong := "sk-wrong-4f1d0c6be5c9")
    outcome = ranker_of().rank(QUESTION, GRID, 5)
    assert outcome.code == STOPPED
    assert "does not accept the key" in outcome.message
    assert wrong not in f"{outcome!r} {quota.halted!r}"


def test_an_account_that_owes_is_said(ranker_of, server):
    server.configure(fatal=Fatal(code="Arrearage"))
    assert "overdue" in ranker_of().rank(QUESTION, GRID, 5).message


def test_a_picture_that_cannot_be_sent_is_said(ranker_of):
    narrow = Picture(np.zeros((1, 2000, 3), np.uint8), "narrow")
    assert ranker_of().rank(QUESTION, narrow, 5).code == "picture_too_narrow"


def test_a_rerank_model_gives_up_in_time_too(server, reranker, retry_with):
    server.configure(faults={"hang": 1.0})
    started_s = time.monotonic()
    outcomes = reranker.rerank("a cat", ["one", "two"], timeout_s=0.3)
    assert time.monotonic() - started_s < 5
    assert [outcome.code for outcome in outcomes] == ["timeout"] * 2
