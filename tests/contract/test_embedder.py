"""What every `tuku.protocols.Embedder` must do."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from contract.implementations import UNTRAINED, each_embedder
from contract.pictures import noise, odd_pictures, photograph, refusal
from tuku.errors import RowError
from tuku.protocols import Embedder, Vector

pytestmark = each_embedder

TEXTS = ["a photo of a cat", "an espresso in a small cup", "a rocket"]
ODD_TEXTS = {
    "empty": "",
    "blank": " \n\t",
    "Chinese": "一只猫坐在桌子上",
    "very long": "cat " * 20_000,
    "one long word": "x" * 50_000,
    "half a surrogate pair": "cat \ud83d",
    "control characters": "cat\x00\x07",
    "emoji": "🐈‍⬛",
}


def stacked(embedder: Embedder, outcomes: Sequence[Any]) -> npt.NDArray[np.float32]:
    """All outcomes, which must be vectors as the protocol says, as float32 (n, dim)."""
    for vector in outcomes:
        assert isinstance(vector, np.ndarray), vector
        assert vector.dtype == np.float32
        assert vector.shape == (embedder.description.dim,)
        assert abs(float(np.linalg.norm(vector)) - 1) < 1e-5
    return np.stack(outcomes)


def require_meaning(embedder: Embedder) -> None:
    if embedder.description.provider in UNTRAINED:
        pytest.skip("a model of weights by chance")


def test_is_an_embedder(embedder: Embedder) -> None:
    assert isinstance(embedder, Embedder)


def test_description_is_complete_and_survives_a_trip_to_a_worker(embedder: Embedder) -> None:
    description = embedder.description
    assert all([description.provider, description.model, description.revision, description.note, description.licence])
    assert description.dim
    # Who passes on whatever an endpoint serves cannot know what that speaks, as it cannot know its licence.
    assert description.languages or description.licence == "NOASSERTION"
    assert description.picture_size is not None
    assert pickle.loads(pickle.dumps(description)) == description


def test_nothing_in_nothing_out(embedder: Embedder) -> None:
    assert (embedder.embed_pictures([]), embedder.embed_passages([]), embedder.embed_queries([])) == ([], [], [])


def test_pictures_keep_their_order_and_ignore_their_neighbours(embedder: Embedder) -> None:
    pictures = [photograph("coffee.png"), noise(11), photograph("chelsea.png"), photograph("coffee.png"), noise(12)]
    together = stacked(embedder, embedder.embed_pictures(pictures))
    alone = stacked(embedder, [embedder.embed_pictures([picture])[0] for picture in pictures])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert not np.allclose(together[0], together[2], atol=0.05)


@pytest.mark.parametrize("verb", ["embed_passages", "embed_queries"])
def test_texts_keep_their_order_and_ignore_their_neighbours(embedder: Embedder, verb: str) -> None:
    texts = [*TEXTS, "a long sentence that says more than all others of a cat on a table", TEXTS[0], f"only in {verb}"]
    together = stacked(embedder, getattr(embedder, verb)(texts))
    alone = stacked(embedder, [getattr(embedder, verb)([text])[0] for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert not np.allclose(together[0], together[1], atol=0.05)


def test_a_query_finds_the_passage_that_says_the_same(embedder: Embedder) -> None:
    require_meaning(embedder)
    queries = stacked(embedder, embedder.embed_queries(["kitten", "hot drink", "spacecraft"]))
    passages = stacked(embedder, embedder.embed_passages(TEXTS))
    assert (queries @ passages.T).argmax(axis=1).tolist() == [0, 1, 2]


def test_a_query_finds_the_picture_that_shows_it(embedder: Embedder) -> None:
    require_meaning(embedder)
    pictures = [photograph(name) for name in ("chelsea.png", "coffee.png", "rocket.jpg")]
    scores = stacked(embedder, embedder.embed_queries(TEXTS)) @ stacked(embedder, embedder.embed_pictures(pictures)).T
    assert scores.argmax(axis=1).tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", odd_pictures())
def test_an_odd_picture_has_a_vector_or_is_one_that_services_refuse(embedder: Embedder, name: str) -> None:
    (outcome,) = embedder.embed_pictures([odd_pictures()[name]])
    if isinstance(outcome, RowError):
        assert outcome.code == refusal(embedder.description, name), outcome
    else:
        stacked(embedder, [outcome])


@pytest.mark.parametrize("name", ODD_TEXTS)
def test_an_odd_text_has_a_vector(embedder: Embedder, name: str) -> None:
    stacked(embedder, embedder.embed_passages([ODD_TEXTS[name]]) + embedder.embed_queries([ODD_TEXTS[name]]))


def test_every_vector_of_a_picture_is_told_of_before_the_call_returns(embedder: Embedder) -> None:
    pictures = [noise(40), odd_pictures()["one pixel"], photograph("coffee.png"), noise(40)]
    heard: list[tuple[int, Vector]] = []
    outcomes = embedder.embed_pictures(pictures, lambda position, vector: heard.append((position, vector)))
    assert all(np.array_equal(outcomes[position], vector) for position, vector in heard)
    told = {pictures[position].content_sha256 for position, _ in heard}
    assert told == {pictures[i].content_sha256 for i in range(4) if isinstance(outcomes[i], np.ndarray)}
    assert len(told) >= 2


def test_every_vector_of_a_text_is_told_of_before_the_call_returns(embedder: Embedder) -> None:
    texts = [*TEXTS, "a text that nobody has asked for", TEXTS[0]]
    heard: list[tuple[int, Vector]] = []
    outcomes = embedder.embed_passages(texts, lambda position, vector: heard.append((position, vector)))
    assert all(np.array_equal(outcomes[position], vector) for position, vector in heard)
    assert {texts[position] for position, _ in heard} == set(texts)


def test_threads_get_the_same_answers(embedder: Embedder) -> None:
    pictures, texts = [noise(seed) for seed in range(30, 34)], [f"photo number {n}" for n in range(20)]

    def work(_: int) -> npt.NDArray[np.float32]:
        return stacked(embedder, embedder.embed_pictures(pictures) + embedder.embed_passages(texts))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(work, range(8)))
    for answer in answers:
        np.testing.assert_allclose(answer, work(0), atol=1e-5)


def test_usage_is_handed_over_once(embedder: Embedder) -> None:
    embedder.embed_queries(["a cup"])
    embedder.take_usage()
    second = embedder.take_usage()
    assert (second.requests, second.input_tokens, second.cost) == (0, 0, 0.0)
