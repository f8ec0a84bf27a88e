"""Figures for ranked results, against ones worked out by hand."""

from __future__ import annotations

import math

import pytest

from tuku.search.quality import Quality, percentile


def test_a_perfect_answer_is_one_in_all():
    quality = Quality.of(["a", "b", "x"], {"a", "b"})
    assert quality == Quality(recall_1=0.5, recall_5=1.0, recall_10=1.0, mrr=1.0, ndcg_10=1.0)


def test_what_comes_late_counts_less():
    quality = Quality.of(["x", "y", "a", *"123", "b"], {"a", "b"})
    assert (quality.recall_1, quality.recall_5, quality.recall_10) == (0.0, 0.5, 1.0)
    assert quality.mrr == pytest.approx(1 / 3)
    ideal = 1 + 1 / math.log2(3)
    assert quality.ndcg_10 == pytest.approx((1 / math.log2(4) + 1 / math.log2(8)) / ideal)


def test_what_comes_after_the_tenth_does_not_count():
    assert Quality.of([*"0123456789", "a"], {"a"}) == Quality(0.0, 0.0, 0.0, 0.0, 0.0)


def test_more_relevant_images_than_places():
    quality = Quality.of([f"{number}" for number in range(10)], {f"{number}" for number in range(20)})
    assert (quality.recall_10, quality.ndcg_10) == (0.5, pytest.approx(1.0))


def test_means_are_of_each_figure():
    mean = Quality.mean([Quality.of(["a"], {"a"}), Quality.of(["x"], {"a"})])
    assert mean.to_dict() == {"recall@1": 0.5, "recall@5": 0.5, "recall@10": 0.5, "mrr": 0.5, "ndcg@10": 0.5}


def test_percentiles_are_values_that_were_seen():
    values = [float(number) for number in range(1, 101)]
    assert (percentile(values, 0.5), percentile(values, 0.95), percentile([3.0], 0.95)) == (50.0, 95.0, 3.0)
