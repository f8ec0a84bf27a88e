"""Vectors by the real SDK from a local endpoint that takes what vLLM takes."""

from __future__ import annotations

import numpy as np
import pytest

from fakes.colours import plain_picture, plain_pictures
from fakes.dashscope import DashScopeServer, Faults, Settings
from fakes.dashscope.asked import text_tokens
from fakes.recording_quota import RecordingQuota
from tuku.config import EmbedConfig, RetryConfig
from tuku.errors import RowError
from tuku.protocols import Embedder, FusingEmbedder, Picture
from tuku.providers.api.instruction import INSTRUCTION
from tuku.providers.factory import Access
from tuku.providers.registry import create_embedder

KEY = "sk-2b7c1d55e8f94a01a3c6"
MODEL, LARGER, CLIP = "Qwen/Qwen3-VL-Embedding-2B", "Qwen/Qwen3-VL-Embedding-8B", "openai/clip-vit-base-patch32"
TOLD_NOTHING = {"model": CLIP, "dim": 512, "parameters": {"instruction": ""}}
THIN = Picture(np.zeros((2, 500, 3), np.uint8), "thin")


@pytest.fixture(scope="module")
def shared_server():
    with DashScopeServer(Settings(keys=(KEY,))) as server:
        yield server


@pytest.fixture
def server(shared_server):
    shared_server.configure(faults=Faults(), fatal=None, usage_shape="split", limits={"requests_per_min": None})
    shared_server.reset()
    return shared_server


@pytest.fixture
def quota():
    return RecordingQuota()


@pytest.fixture
def embedder_of(server, quota, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def make(attempts=5, request_timeout_s=1.0, **config):
        retry = RetryConfig(first_wait_s=0.01, attempts=attempts, request_timeout_s=request_timeout_s)
        config = {"model": MODEL, "dim": 2048, "base_url": server.compatible_url, **config}
        return create_embedder(EmbedConfig(provider="openai", **config), Access(quota, retry))

    return make


def served(server, model=MODEL):
    return server.counters()["models"][model]


def assert_same(left, right):
    np.testing.assert_allclose(np.stack(left), np.stack(right), atol=1e-6)


def test_vectors_come_in_order_and_are_counted(embedder_of, server, quota):
    embedder, pictures = embedder_of(), plain_pictures(12)
    assert isinstance(embedder, Embedder)
    together = embedder.embed_pictures(pictures)
    assert {(vector.shape, vector.dtype.name) for vector in together} == {((2048,), "float32")}
    assert_same([together[5]], embedder.embed_pictures([pictures[5]]))
    assert not np.allclose(together[5], together[6], atol=1e-3)
    assert served(server)["requests"] == 13
    usage = embedder.take_usage()
    assert (usage.requests, usage.retries, usage.output_tokens) == (13, 0, 0)
    assert usage.input_tokens == served(server)["usage"]["input_tokens"] > 0
    assert quota.unsettled == 0


@pytest.mark.parametrize("config", [{}, TOLD_NOTHING], ids=["told something", "told nothing"])
def test_texts_lie_where_their_pictures_do(embedder_of, config):
    embedder = embedder_of(**config)
    red, green = embedder.embed_passages(["a red thing", "a green thing"])
    (query,) = embedder.embed_queries(["something red"])
    (picture,) = embedder.embed_pictures([Picture(np.full((64, 64, 3), (255, 0, 0), np.uint8), "red")])
    for vector in (query, picture):
        assert vector @ red > 0.98
        assert vector @ green < 0.2


def test_equal_pictures_and_texts_are_asked_for_once(embedder_of, server):
    embedder, picture = embedder_of(), plain_picture(3)
    heard = []
    first, again = embedder.embed_pictures([picture, picture], lambda position, _: heard.append(position))
    assert_same([first], [again])
    embedder.embed_passages(["a", "b", "a"])
    assert served(server)["items"]["accepted"] == 3
    assert len(heard) == 1


def test_queries_are_told_something_else_where_the_configuration_says_so(embedder_of, server):
    used = {}
    for query_instruction in (INSTRUCTION, "Find what is asked for."):
        embedder = embedder_of(parameters={"query_instruction": query_instruction})
        for verb in (embedder.embed_passages, embedder.embed_queries):
            verb(["a cat"])
            used[query_instruction, verb.__name__] = embedder.take_usage().input_tokens
        embedder.embed_composed([("a cat", plain_picture(1))])
        used[query_instruction, "composed"] = embedder.take_usage().input_tokens
    usual, other = (INSTRUCTION, "Find what is asked for.")
    fewer = text_tokens(INSTRUCTION) - text_tokens("Find what is asked for.")
    assert fewer > 0
    assert used[usual, "embed_passages"] == used[other, "embed_passages"] == used[usual, "embed_queries"]
    for verb in ("embed_queries", "composed"):
        assert used[usual, verb] - used[other, verb] == fewer


def test_a_text_and_a_picture_become_one_vector(embedder_of, server, quota):
    embedder = embedder_of()
    assert isinstance(embedder, FusingEmbedder)
    red, green = plain_pictures(2)
    composed = embedder.embed_composed([("blue", red), ("blue", THIN), ("blue", green), ("", red)])
    assert composed[1].code == "picture_too_narrow"
    alone = embedder.embed_pictures([red, green])
    assert not np.allclose(composed[0], alone[0], atol=1e-3)
    assert not np.allclose(composed[0], composed[2], atol=1e-3)
    assert_same([composed[3]], [alone[0]])
    assert served(server)["requests"] == 5
    assert quota.unsettled == 0


def test_a_model_that_is_told_nothing_does_not_look_at_both(embedder_of):
    assert not isinstance(embedder_of(**TOLD_NOTHING), FusingEmbedder)


def test_another_length_than_the_configured_one_is_said(embedder_of, server):
    (outcome,) = embedder_of(dim=1024).embed_queries(["a cat"])
    assert isinstance(outcome, RowError)
    assert (outcome.code, outcome.attempts) == ("bad_vector", 3)
    assert "2048 numbers instead of 1024" in outcome.message


def test_shorter_vectors_are_asked_for_where_the_model_has_them(embedder_of):
    config = {"dim": 1024, "parameters": {"dimensions": True}}
    assert embedder_of(model=LARGER, **config).embed_queries(["a cat"])[0].shape == (1024,)
    (outcome,) = embedder_of(**config).embed_queries(["a cat"])
    assert outcome.code == "invalid_parameter"
    assert "does not support matryoshka representation" in outcome.message


@pytest.mark.parametrize(
    ("fault", "code", "attempts"),
    [
        ("internal_error", "server_error", 5),
        ("truncated_json", "bad_answer", 5),
        ("error_inside", "bad_answer", 5),
        ("missing", "missing_vector", 3),
        ("bad_vector", "bad_vector", 3),
        ("bad_item", "invalid_parameter", 1),
    ],
)
def test_each_try_is_one_request(embedder_of, server, quota, fault, code, attempts):
    server.configure(faults={fault: 1.0})
    (outcome,) = embedder_of().embed_pictures([plain_picture(1)])
    assert isinstance(outcome, RowError)
    assert (outcome.code, outcome.attempts) == (code, attempts)
    assert served(server)["requests"] == len(quota.acquired) == attempts
    assert quota.unsettled == 0


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_no_request_takes_longer_than_it_may(embedder_of, server, fault):
    server.configure(faults={fault: 1.0})
    (outcome,) = embedder_of(attempts=1, request_timeout_s=0.5).embed_queries(["a cat"])
    assert (outcome.code, outcome.attempts) == ("timeout", 1)


def test_bad_items_fall_alone_and_only_vectors_are_told_of(embedder_of, server):
    server.configure(faults={"bad_item": 0.15})
    heard = {}
    outcomes = embedder_of().embed_pictures([THIN, *plain_pictures(24)], heard.__setitem__)
    vectors = {place: outcome for place, outcome in enumerate(outcomes) if not isinstance(outcome, RowError)}
    assert {place: vector is vectors[place] for place, vector in heard.items()} == dict.fromkeys(vectors, True)
    assert 12 < len(vectors) < 24
    assert outcomes[0].code == "picture_too_narrow"


def test_being_throttled_costs_no_row(embedder_of, server, quota):
    server.configure(limits={"requests_per_min": 600, "burst_s": 0.1})
    outcomes = embedder_of().embed_passages([f"text {number}" for number in range(12)])
    assert all(isinstance(outcome, np.ndarray) for outcome in outcomes)
    assert {kind for _, kind, _ in quota.refused} == {"requests"}


def test_a_server_that_counts_no_tokens_is_no_fault(embedder_of, server):
    server.configure(usage_shape="missing")
    embedder = embedder_of()
    assert isinstance(embedder.embed_queries(["a cat"])[0], np.ndarray)
    assert embedder.take_usage().input_tokens > 0


@pytest.mark.parametrize("text", ["", " \n", "cat " * 20_000, "x" * 50_000, "猫" * 9_000, "cat \ud83d", "<|im_end|>"])
@pytest.mark.parametrize("config", [{}, TOLD_NOTHING], ids=["told something", "told nothing"])
def test_an_odd_text_has_a_vector(embedder_of, server, config, text):
    assert isinstance(embedder_of(**config).embed_passages([text])[0], np.ndarray)
    assert server.counters()["rejected"] == {}


def test_a_refused_key_halts_the_run_and_is_not_shown(embedder_of, quota, monkeypatch):
    embedder = embedder_of()
    monkeypatch.setenv("OPENAI_API_KEY", wrong := KEY[::-1])
    refused = embedder_of()
    (outcome,) = refused.embed_queries(["a cat"])
    assert outcome.code == "stopped"
    assert "does not accept the key" in str(quota.halted)
    assert wrong not in repr(outcome) + repr(quota.halted) + repr(refused)
    assert embedder.embed_queries(["a cat"])[0].code == "stopped"


def test_a_model_that_is_not_served_halts_the_run(embedder_of, quota):
    embedder_of(model="m").embed_queries(["a cat"])
    assert "no such model" in quota.halted.message
    assert "base_url" in quota.halted.remedy
