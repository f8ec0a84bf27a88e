"""Business rules on what was found: scores that are too low, boosts, one result for each group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from tuku.conditions import Condition, holds
from tuku.search.results import Result

_LEAST_FACTOR, _MOST_FACTOR = 1e-100, 1e100
"""Of all boosts together: beyond them a score would be infinite, or 0 and then no divisor."""


def values_of(result: Result) -> dict[str, Any]:
    """What conditions are asked of: the collection's names for the fields, and the metadata."""
    return {
        **result.metadata,
        **{name: value or None for name, value in result.stored.items()},
        "id": result.id,
        "origin": result.uri,
        "image_description": result.caption or None,
        "keywords": list(result.keywords) or None,
    }


def scoring_enough(results: Iterable[Result], min_score: float | None) -> list[Result]:
    """Those that score at least so much in one vector field or more."""
    return [
        result for result in results if min_score is None or any(score >= min_score for score in result.scores.values())
    ]


def boosted(results: Sequence[Result], boosts: Sequence[tuple[Condition, float]]) -> list[Result]:
    """The results in their new order; equals stay in the old one.

    A score under zero is divided, so that a boost always raises. The score stays a finite number.

    Args:
        results: best first.
        boosts: conditions with their factors, over 0. Those of all conditions that an image meets are multiplied.
    """
    if not boosts:
        return list(results)
    scored = []
    for result in results:
        factor, values = 1.0, values_of(result)
        for condition, by in boosts:
            factor *= by if holds(condition, values) else 1.0
        factor = min(max(factor, _LEAST_FACTOR), _MOST_FACTOR)
        scored.append(replace(result, score=result.score * factor if result.score >= 0 else result.score / factor))
    return sorted(scored, key=lambda result: -result.score)


def best_of_groups(results: Iterable[Result], field: str | None) -> list[Result]:
    """The first of those that share a value of the field; one without a value is a group of its own."""
    if field is None:
        return list(results)
    kept: dict[object, Result] = {}
    for result in results:
        value = values_of(result).get(field)
        kept.setdefault(("alone", result.id) if value is None else ("group", repr(value)), result)
    return list(kept.values())
