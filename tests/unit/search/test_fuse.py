"""Fusion, against figures worked out by hand; that Milvus' own agrees is shown on a collection."""

from __future__ import annotations

import math

import pytest

from tuku.search.fuse import reciprocal_ranks, weighted_sums


def test_reciprocal_ranks_count_from_one():
    scores = reciprocal_ranks({"image": ["a", "b"], "text": ["b"]}, k=60)
    assert scores == {"a": pytest.approx(1 / 61), "b": pytest.approx(1 / 62 + 1 / 61)}


@pytest.mark.parametrize(
    ("metric", "score", "normalised"),
    [("COSINE", 0.5, 0.75), ("IP", 1.0, 0.75), ("L2", -1.0, 0.5), ("L2", 0.0, 1.0), ("COSINE", -1.0, 0.0)],
)
def test_scores_are_brought_between_zero_and_one(metric, score, normalised):
    assert weighted_sums({"image": {"a": score}}, {"image": 1.0}, metric)["a"] == pytest.approx(normalised)


def test_weights_count_and_what_one_list_lacks_adds_nothing():
    sums = weighted_sums({"image": {"a": 1.0, "b": 0.0}, "text": {"a": 0.0}}, {"image": 0.25, "text": 0.75}, "COSINE")
    assert sums == {"a": pytest.approx(0.25 + 0.375), "b": pytest.approx(0.125)}
    assert math.isclose(sum(sums.values()), 0.75)
