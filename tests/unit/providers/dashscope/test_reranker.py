from __future__ import annotations

import numpy as np
import pytest

from fakes.colours import plain_picture, plain_pictures
from tuku.errors import RowError
from tuku.protocols import Picture
from tuku.protocols_ranking import Reranker
from tuku.providers.dashscope.reranker import relevances_by_index


def test_is_a_reranker(reranker):
    assert isinstance(reranker, Reranker)


@pytest.mark.parametrize("query", ["a cat", plain_picture(0)])
def test_documents_of_both_kinds_in_order(reranker, query):
    documents = ["one", *plain_pictures(3), "two"]
    together = reranker.rerank(query, documents)
    alone = [reranker.rerank(query, [document])[0] for document in documents]
    assert together == pytest.approx(alone)
    assert all(0 <= relevance <= 1 for relevance in together)
    assert reranker.take_usage().requests == 6


def test_more_documents_than_fit_are_several_requests(reranker, server):
    documents = [*plain_pictures(90), *(f"text {number}" for number in range(150))]
    relevances = reranker.rerank("a cat", documents)
    assert len(relevances) == 240
    assert not any(isinstance(relevance, RowError) for relevance in relevances)
    assert server.counters()["models"]["qwen3-vl-rerank"]["requests"] == 4  # 40, 40, 10 with 90 texts, 60


def test_a_document_that_cannot_be_sent_harms_no_other(reranker):
    narrow = Picture(np.zeros((1, 2000, 3), np.uint8), "narrow")
    outcomes = reranker.rerank("a cat", ["one", narrow, "two"])
    assert outcomes[1].code == "picture_too_narrow"
    assert isinstance(outcomes[0], float)
    assert isinstance(outcomes[2], float)


def test_a_query_that_cannot_be_sent_fails_all(reranker):
    outcomes = reranker.rerank(Picture(np.zeros((1, 2000, 3), np.uint8), "narrow"), ["one", "two"])
    assert [outcome.code for outcome in outcomes] == ["picture_too_narrow"] * 2


def test_no_documents_no_relevances(reranker):
    assert reranker.rerank("a cat", []) == []


def result(index, relevance):
    return {"index": index, "relevance_score": relevance}


@pytest.mark.parametrize(
    "results",
    [None, [], [result(0, 0.5)], [result(0, 0.5), result(0, 0.4)], [result(0, 0.5), result(1, float("nan"))], ["?", 3]],
)
def test_an_answer_without_all_relevances_is_none(results):
    outcome = relevances_by_index({"results": results}, 2)
    assert (outcome.code, outcome.retryable) == ("missing_relevance", True)


def test_relevances_are_matched_by_index():
    assert relevances_by_index({"results": [result(1, 0.25), result(0, 1.5)]}, 2) == [1.0, 0.25]
