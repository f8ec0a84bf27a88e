"""How a run used its quotas over time, as its report shows it."""

from __future__ import annotations

import math

from tuku.pipeline import Models
from tuku.report import QuotaUse
from tuku.runtime.ledger import Demand, Use

_MOST_POINTS = 120


def quota_use(demand: Demand, models: Models) -> dict[str, QuotaUse]:
    """The points of a chart for each stage that asked a service.

    Args:
        demand: what was asked in each second.
        models: their terms hold the limits.
    """
    return {stage: _of_stage(dict(seconds), models, stage) for stage, seconds in demand.items() if seconds}


def _of_stage(seconds: dict[int, Use], models: Models, stage: str) -> QuotaUse:
    width = math.ceil((max(seconds) + 1) / _MOST_POINTS)
    points = [Use()] * math.ceil((max(seconds) + 1) / width)
    for second, use in seconds.items():
        points[second // width] += use
    terms = models.by_stage()[stage].terms
    return QuotaUse(
        requests_per_min=None if terms is None else terms.requests_per_min,
        tokens_per_min=None if terms is None else terms.tokens_per_min,
        seconds_per_point=width,
        requests=tuple(use.requests for use in points),
        # An estimate that was too high is corrected in a later second: that one may be below zero.
        tokens=tuple(max(0, use.tokens) for use in points),
        throttled=tuple(use.throttled for use in points),
    )
