"""Two ranked lists of the same images become one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from tuku.config import SearchConfig
from tuku.search.results import Result

Metric = Literal["COSINE", "IP", "L2"]


def weights(config: SearchConfig) -> dict[str, float]:
    """Of the vector fields, where scores are summed."""
    return {"image_embedding": 1.0 - config.text_weight, "text_embedding": config.text_weight}


def fused(found: Mapping[str, Sequence[Result]], config: SearchConfig, metric: Metric) -> list[Result]:
    """What was found in several vector fields, best first, with the scores of the fields that found it.

    Args:
        found: by vector field, results with their score in it, best first.
        config: how they are fused.
        metric: of the index.
    """
    by_field = {name: {result.id: result.score for result in results} for name, results in found.items()}
    if config.fusion == "rrf":
        scores = reciprocal_ranks({name: list(by_id) for name, by_id in by_field.items()}, config.rrf_k)
    else:
        scores = weighted_sums(by_field, weights(config), metric)
    results = {result.id: result for each in found.values() for result in each}
    return [
        replace(
            results[image_id],
            score=score,
            scores={name: by_id[image_id] for name, by_id in by_field.items() if image_id in by_id},
        )
        for image_id, score in sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
    ]


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
