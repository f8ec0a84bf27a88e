"""Two ranked lists of the same images become one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

Metric = Literal["COSINE", "IP", "L2"]


def reciprocal_ranks(ranked: Mapping[str, Sequence[str]], k: int = 60) -> dict[str, float]:
    """Score of each id: the sum of 1 / (k + rank) over the lists that have it (Cormack et al., SIGIR 2009).

    As Milvus' `RRFRanker` has it, ranks count from 1.

    Args:
        ranked: by vector field, ids, best first.
        k: the larger, the less the first places weigh.
    """
    scores: dict[str, float] = {}
    for ids in ranked.values():
        for rank, image_id in enumerate(ids, start=1):
            scores[image_id] = scores.get(image_id, 0.0) + 1.0 / (k + rank)
    return scores


def weighted_sums(
    scores: Mapping[str, Mapping[str, float]], weights: Mapping[str, float], metric: Metric
) -> dict[str, float]:
    """Score of each id: the weighted sum of its scores, each brought into [0, 1]; a list that lacks it adds nothing.

    As Milvus' `WeightedRanker` has it.

    Args:
        scores: by vector field, by id; higher is better (L2: the negative squared distance).
        weights: by vector field.
        metric: of the index.
    """
    sums: dict[str, float] = {}
    for name, by_id in scores.items():
        for image_id, score in by_id.items():
            sums[image_id] = sums.get(image_id, 0.0) + weights[name] * _normalised(score, metric)
    return sums


def _normalised(score: float, metric: Metric) -> float:
    """Milvus' own: the cosine moved, the others through an arc tangent."""
    if metric == "COSINE":
        return (1.0 + score) / 2.0
    if metric == "IP":
        return 0.5 + math.atan(score) / math.pi
    return 1.0 + 2.0 * math.atan(score) / math.pi  # score is minus the distance
