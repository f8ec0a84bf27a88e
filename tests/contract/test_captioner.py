"""What every `tuku.protocols.Captioner` must do."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

from contract.implementations import each_captioner
from contract.pictures import noise, odd_pictures, photograph, refusal
from tuku.errors import RowError
from tuku.protocols import Caption, Captioner

pytestmark = each_captioner


def test_is_a_captioner(captioner: Captioner) -> None:
    assert isinstance(captioner, Captioner)


def test_description_is_complete_and_survives_a_trip_to_a_worker(captioner: Captioner) -> None:
    description = captioner.description
    assert all([description.provider, description.model, description.revision, description.note, description.licence])
    # Who passes on whatever an endpoint serves cannot know what that speaks, as it cannot know its licence.
    assert description.languages or description.licence == "NOASSERTION"
    assert description.picture_size is not None
    assert description.dim is None
    assert pickle.loads(pickle.dumps(description)) == description


def test_no_pictures_no_captions(captioner: Captioner) -> None:
    assert captioner.caption([]) == []


def test_one_outcome_for_each_picture_in_order(captioner: Captioner) -> None:
    pictures = [photograph("coffee.png"), noise(1), photograph("chelsea.png"), photograph("coffee.png"), noise(2)]
    together = captioner.caption(pictures)
    assert together == [captioner.caption([picture])[0] for picture in pictures]
    assert together[0] == together[3]
    assert len(set(map(repr, together))) > 1


def test_a_caption_is_a_line_of_text_with_keywords(captioner: Captioner) -> None:
    for outcome in captioner.caption([photograph("coffee.png"), noise(3)]):
        assert isinstance(outcome, Caption)
        assert outcome.text == outcome.text.strip() != ""
        assert "\n" not in outcome.text
        assert len(set(outcome.keywords)) == len(outcome.keywords)
        assert all(keyword == keyword.strip() != "" for keyword in outcome.keywords)


@pytest.mark.parametrize("name", odd_pictures())
def test_an_odd_picture_has_an_outcome(captioner: Captioner, name: str) -> None:
    (outcome,) = captioner.caption([odd_pictures()[name]])
    if isinstance(outcome, RowError):
        assert outcome.code == refusal(captioner.description, name), outcome
    else:
        assert isinstance(outcome, Caption)


def test_every_caption_is_told_of_before_the_call_returns(captioner: Captioner) -> None:
    pictures = [noise(40), odd_pictures()["one pixel"], photograph("coffee.png"), noise(40)]
    heard: list[tuple[int, Caption]] = []
    outcomes = captioner.caption(pictures, lambda position, caption: heard.append((position, caption)))
    assert all(outcomes[position] == caption for position, caption in heard)
    answered = [picture for picture, outcome in zip(pictures, outcomes, strict=True) if isinstance(outcome, Caption)]
    assert {pictures[position].content_sha256 for position, _ in heard} == {one.content_sha256 for one in answered}
    assert len(answered) >= 3


def test_threads_get_the_same_answers(captioner: Captioner) -> None:
    pictures = [noise(seed) for seed in range(20, 26)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: captioner.caption(pictures), range(8)))
    assert answers == [captioner.caption(pictures)] * 8


def test_usage_is_handed_over_once(captioner: Captioner) -> None:
    captioner.caption([noise(4)])
    captioner.take_usage()
    second = captioner.take_usage()
    assert (second.requests, second.input_tokens, second.cost) == (0, 0, 0.0)
