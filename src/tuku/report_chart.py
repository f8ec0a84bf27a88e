"""How fast each service was asked, as bars over time against its limit: the numbers that the page draws.

Everything is in percent of the plot, so that the drawing stretches and its letters do not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from tuku import units
from tuku.report import QuotaUse

_LEAST_IN_A_BAR = 5
"""Requests that a bar holds at the limit: with fewer it would show chance, not the rate."""
_MOST_BARS = 60
_GAP = 0.15  # of a bar's width
_ROOM = 1.06  # above limit and peak, for the limit's label
_ROUND = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
_LEAST_MARK_PERCENT = 2.5  # a single refused request is seen too
_BINDING = 0.9  # tokens are shown when they use their limit at least so much as requests use theirs


@dataclass(frozen=True)
class Bar:
    """One stretch of time; all in percent of the plot, from its left and its top.

    Attributes:
        title: the same in words.
    """

    x: float
    width: float
    sent_y: float
    sent_height: float
    refused_y: float
    refused_height: float
    title: str


@dataclass(frozen=True)
class Chart:
    """One stage's requests or tokens over time.

    Attributes:
        stage: its name.
        unit: of the bars' height, such as ``requests a minute``.
        bars: in order.
        ticks: labels of the vertical axis, from its top to its foot, evenly spaced.
        times: labels of the horizontal axis, from left to right, evenly spaced.
        limit: label of the limit's line; None: no limit is known.
        limit_y: where that line is.
        refused: requests that were throttled.
        sentence: what there is to see.
    """

    stage: str
    unit: str
    bars: tuple[Bar, ...]
    ticks: tuple[str, ...]
    times: tuple[str, ...]
    limit: str | None
    limit_y: float
    refused: int
    sentence: str


@dataclass(frozen=True)
class _Bin:
    """What was asked in so many points of the report together."""

    amount: int
    points: int

    def per_min(self, point_s: int) -> float:
        return self.amount * 60 / (self.points * point_s)


def quota_charts(quota: Mapping[str, QuotaUse]) -> list[Chart]:
    """The charts of a report: requests of each stage, and its tokens where it is they that bind."""
    return [chart for stage, use in quota.items() if sum(use.requests) for chart in _of_stage(stage, use)]


def _of_stage(stage: str, use: QuotaUse) -> Iterator[Chart]:
    size = _points_in_a_bar(use)
    requests, refused = _bins(use.requests, size), _bins(use.throttled, size)
    yield _chart(stage, "requests a minute", requests, refused, use.requests_per_min, use.seconds_per_point)
    if _tokens_bind(use):
        tokens = _bins(use.tokens, size)
        yield _chart(stage, "tokens a minute", tokens, [], use.tokens_per_min, use.seconds_per_point)


def _points_in_a_bar(use: QuotaUse) -> int:
    few = math.ceil(len(use.requests) / _MOST_BARS)
    if use.requests_per_min is None:
        return few
    return max(few, math.ceil(_LEAST_IN_A_BAR * 60 / (use.requests_per_min * use.seconds_per_point)))


def _bins(points: Sequence[int], size: int) -> list[_Bin]:
    """So many points become one; the last may be of fewer."""
    parts = [points[start : start + size] for start in range(0, len(points), size)]
    return [_Bin(sum(part), len(part)) for part in parts]


def _tokens_bind(use: QuotaUse) -> bool:
    if use.tokens_per_min is None or not sum(use.tokens):
        return False
    if use.requests_per_min is None:
        return True
    return sum(use.tokens) / use.tokens_per_min >= _BINDING * sum(use.requests) / use.requests_per_min


def _chart(
    stage: str, unit: str, bins: Sequence[_Bin], refused: Sequence[_Bin], limit: int | None, point_s: int
) -> Chart:
    rates = [each.per_min(point_s) for each in bins]
    seconds = point_s * sum(each.points for each in bins)
    mean = sum(each.amount for each in bins) * 60 / seconds
    of_limit = f", {mean / limit:.0%} of the limit" if limit else ""
    top = _round_up(max(*rates, limit or 0, 1) * _ROOM)
    return Chart(
        stage=stage,
        unit=unit,
        bars=tuple(_bars(unit, bins, refused, top, point_s)),
        ticks=tuple(f"{tick:,.10g}" for tick in (top, top / 2, 0)),
        times=("0 s", units.duration(seconds / 2), units.duration(seconds)),
        limit=None if limit is None else f"limit {limit:,}",
        limit_y=100 - 100 * (limit or 0) / top,
        refused=sum(each.amount for each in refused),
        sentence=f"{mean:,.0f} {unit} on average{of_limit}; {max(rates):,.0f} at most",
    )


def _bars(unit: str, bins: Sequence[_Bin], refused: Sequence[_Bin], top: float, point_s: int) -> Iterator[Bar]:
    points, begun = sum(each.points for each in bins), 0
    for each, bad in zip_longest(bins, refused, fillvalue=_Bin(0, 1)):
        all_rate, bad_rate = each.per_min(point_s), bad.per_min(point_s)
        height, bad_height = 100 * max(0.0, all_rate - bad_rate) / top, 100 * bad_rate / top
        if bad_height:
            bad_height = min(max(bad_height, _LEAST_MARK_PERCENT), 100 - height)
        times = (units.duration(begun * point_s), units.duration((begun + each.points) * point_s))
        title = f"{times[0]} to {times[1]}: {all_rate:,.0f} {unit}"
        yield Bar(
            x=100 * begun / points,
            width=100 * each.points / points * (1 - _GAP),
            sent_y=100 - height,
            sent_height=height,
            refused_y=100 - height - bad_height,
            refused_height=bad_height,
            title=f"{title}, {bad.amount:,} throttled" if bad.amount else title,
        )
        begun += each.points


def _round_up(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in _ROUND if step * power >= value)
