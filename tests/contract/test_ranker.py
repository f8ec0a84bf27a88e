"""What every model that ranks candidates must do."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from contract.implementations import each_ranker
from tuku.errors import RowError
from tuku.protocols import Picture
from tuku.protocols_ranking import RankingQuestion, VisionRanker
from tuku.search.ranking_check import breach_of

pytestmark = each_ranker

GRID = Picture(np.full((300, 400, 3), 200, np.uint8), "grid")
WIDE = Picture(np.full((2, 4_000, 3), 200, np.uint8), "wide")


@pytest.mark.parametrize("count", [2, 9, 40])
def test_each_candidate_has_a_place(ranker: VisionRanker, count: int) -> None:
    question = RankingQuestion(tuple(f"case {number}" for number in range(count)), "a phone case", True, "leopard")
    places = ranker.rank(question, GRID, 20)
    assert not isinstance(places, RowError)
    assert breach_of(places, count) is None
    assert places[0].reason


def test_it_says_in_words_what_a_picture_shows(ranker: VisionRanker) -> None:
    sentence = ranker.look(GRID, 20)
    assert isinstance(sentence, str)
    assert sentence.strip()


def test_a_picture_that_no_service_takes_is_an_outcome(ranker: VisionRanker) -> None:
    outcomes = ranker.rank(RankingQuestion(("a", "b"), "c"), WIDE, 20), ranker.look(WIDE, 20)
    assert [isinstance(outcome, RowError) and not outcome.retryable for outcome in outcomes] == [True, True]


def test_no_time_is_no_answer(ranker: VisionRanker) -> None:
    outcome = ranker.rank(RankingQuestion(("a", "b"), "c"), GRID, 0.0)
    assert isinstance(outcome, RowError)
    assert outcome.code == "timeout"


def test_what_was_used_is_told_once(ranker: VisionRanker) -> None:
    ranker.take_usage()
    ranker.look(GRID, 20)
    assert (ranker.take_usage().requests, ranker.take_usage().requests) == (1, 0)


def test_several_threads_may_ask_at_once(ranker: VisionRanker) -> None:
    outcomes: list[object] = []
    question = RankingQuestion(("a", "b", "c"), "d")
    threads = [threading.Thread(target=lambda: outcomes.append(ranker.rank(question, GRID, 20))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 4
    assert all(isinstance(outcome, list) and breach_of(outcome, 3) is None for outcome in outcomes)
