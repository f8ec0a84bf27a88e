from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fakes.colours import plain_picture, plain_pictures
from tuku.errors import RowError
from tuku.protocols import Embedder, FusingEmbedder, Picture

MODEL = "tongyi-embedding-vision-plus"


def assert_same(left, right):
    np.testing.assert_allclose(np.stack(left), np.stack(right), atol=1e-6)


def served(server, model=MODEL):
    return server.counters()["models"][model]


def test_is_an_embedder(embedder_of):
    assert isinstance(embedder_of(), Embedder)


def test_requests_are_full_and_vectors_in_order(embedder_of, server, quota):
    pictures = plain_pictures(32)
    together = embedder_of().embed_pictures(pictures)
    assert served(server)["requests"] == 4  # of eight
    assert_same([together[9]], embedder_of().embed_pictures([pictures[9]]))
    assert {(vector.shape, vector.dtype.name) for vector in together} == {((1152,), "float32")}
    assert quota.unsettled == 0


def test_one_picture_and_its_texts_travel_together(embedder_of, server):
    embedder, gate = embedder_of(model="multimodal-embedding-v1"), ThreadPoolExecutor(2)
    texts = [f"text {number}" for number in range(19)]
    with gate:
        pictures = gate.submit(embedder.embed_pictures, plain_pictures(3))
        passages = gate.submit(embedder.embed_passages, texts)
    assert all(isinstance(vector, np.ndarray) for vector in pictures.result() + passages.result())
    assert served(server, "multimodal-embedding-v1")["requests"] <= 4


@pytest.mark.parametrize("dim", [1152, 256])
def test_the_length_of_vectors_can_be_chosen(embedder_of, dim):
    assert embedder_of(dim=dim).embed_queries(["a cat"])[0].shape == (dim,)


@pytest.mark.parametrize("fault", ["shuffled", "missing", "bad_vector"])
def test_damaged_answers_are_mended_without_paying_twice(embedder_of, server, fault):
    pictures = plain_pictures(24)
    expected = embedder_of().embed_pictures(pictures)
    server.reset()
    server.configure(faults={fault: 0.5})
    for vector, right in zip(embedder_of().embed_pictures(pictures), expected, strict=True):
        if isinstance(vector, RowError):
            assert (vector.code, vector.attempts) == (f"{fault}_vector".replace("vector_vector", "vector"), 3)
        else:
            assert_same([vector], [right])
    items = served(server)["items"]
    assert items["accepted_after_an_intact_answer"] == items["answered_more_than_once"] == 0
    assert served(server)["faults"][fault] > 0


def test_bad_items_fall_alone(embedder_of, server):
    server.configure(faults={"bad_item": 0.15})
    outcomes = embedder_of().embed_pictures(plain_pictures(48))
    bad = [outcome for outcome in outcomes if isinstance(outcome, RowError)]
    assert 0 < len(bad) < 24
    assert {outcome.code for outcome in bad} == {"content_refused"}
    assert served(server)["items"]["answered"] == 48 - len(bad)
    assert served(server)["items"]["answered_more_than_once"] == 0


def test_a_picture_that_the_service_would_refuse_harms_no_other(embedder_of):
    outcomes = embedder_of().embed_pictures([plain_picture(1), Picture(np.zeros((3, 3, 3), np.uint8), "a")])
    assert isinstance(outcomes[0], np.ndarray)
    assert outcomes[1].code == "picture_too_small"


def test_no_text_is_taken_for_a_file(embedder_of, server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat").write_text("secret")
    names = ["cat", str(tmp_path / "cat"), (tmp_path / "cat").as_uri(), "file:///nowhere", "~/cat", "oss://bucket/cat"]
    assert len(names) == len(embedder_of().embed_passages(names)) == served(server)["items"]["answered"]
    assert server.counters()["rejected"] == {}


@pytest.mark.parametrize("text", ["", " \n", "cat " * 20_000, "x" * 50_000, "猫" * 9_000, "cat \ud83d", "a\x00b"])
def test_an_odd_text_has_a_vector(embedder_of, text):
    assert isinstance(embedder_of(model="multimodal-embedding-v1").embed_passages([text])[0], np.ndarray)


def test_equal_texts_are_asked_for_once(embedder_of, server):
    first, second, _ = embedder_of().embed_passages(["a", "a", "b"])
    assert_same([first], [second])
    assert served(server)["items"]["accepted"] == 2


def test_the_vectors_of_a_request_are_told_of_before_the_next_is_sent(embedder_of, server):
    heard = []
    pictures = [Picture(np.zeros((3, 3, 3), np.uint8), "a"), *plain_pictures(16)]
    outcomes = embedder_of(concurrency=1).embed_pictures(
        pictures, lambda position, vector: heard.append((server.counters()["arrived"], position, vector))
    )
    assert [arrived for arrived, _, _ in heard] == [1] * 8 + [2] * 8
    assert sorted(position for _, position, _ in heard) == list(range(1, 17))
    assert all(outcomes[position] is vector for _, position, vector in heard)


def test_only_what_is_no_failure_is_told_of(embedder_of, server):
    server.configure(faults={"bad_item": 0.15})
    heard = []
    outcomes = embedder_of().embed_pictures(plain_pictures(48), lambda position, _: heard.append(position))
    answered = [position for position, outcome in enumerate(outcomes) if not isinstance(outcome, RowError)]
    assert sorted(heard) == answered
    assert 24 < len(answered) < 48


@pytest.mark.parametrize("model", ["qwen3-vl-embedding", "qwen2.5-vl-embedding"])
def test_a_text_and_a_picture_become_one_vector(embedder_of, server, quota, model):
    embedder = embedder_of(model=model)
    assert isinstance(embedder, FusingEmbedder)
    red, green = plain_pictures(2)
    composed = embedder.embed_composed([("a phone case with this", red), ("a phone case with this", green)])
    assert served(server, model)["requests"] == 2
    assert {(vector.shape, vector.dtype.name) for vector in composed} == {(composed[0].shape, "float32")}
    for vector, alone in zip(composed, embedder.embed_pictures([red, green]), strict=True):
        assert not np.allclose(vector, alone, atol=1e-3)
    assert not np.allclose(composed[0], composed[1], atol=1e-3)
    assert quota.unsettled == 0


def test_a_model_that_does_not_fuse_is_not_asked_to(embedder_of):
    assert not isinstance(embedder_of(), FusingEmbedder)


def test_a_composed_query_with_a_bad_picture_falls_alone(embedder_of):
    good, bad = plain_picture(7), Picture(np.zeros((2, 500, 3), np.uint8), "thin")
    outcomes = embedder_of(model="qwen3-vl-embedding").embed_composed([("a", bad), ("b", good)])
    assert isinstance(outcomes[0], RowError)
    assert isinstance(outcomes[1], np.ndarray)
