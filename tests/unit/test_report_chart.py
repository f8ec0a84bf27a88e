"""The numbers behind the page's charts."""

from __future__ import annotations

import pytest

from tuku.report import QuotaUse
from tuku.report_chart import quota_charts


def use(requests, throttled=None, tokens=None, **limits) -> QuotaUse:
    nothing = (0,) * len(requests)
    return QuotaUse(requests=requests, throttled=throttled or nothing, tokens=tokens or nothing, **limits)


def only(quota: QuotaUse):
    [chart] = quota_charts({"caption": quota})
    return chart


def test_bars_are_rates_in_proportion_to_the_axis():
    chart = only(use((10, 20, 0, 20), requests_per_min=1_200))
    assert (chart.stage, chart.unit) == ("caption", "requests a minute")
    assert chart.ticks == ("1,500", "750", "0")
    assert [bar.sent_height for bar in chart.bars] == pytest.approx([40, 80, 0, 80])
    assert [bar.sent_y + bar.sent_height for bar in chart.bars] == pytest.approx([100] * 4)
    assert [bar.x for bar in chart.bars] == pytest.approx([0, 25, 50, 75])
    assert chart.limit == "limit 1,200"
    assert chart.limit_y == pytest.approx(20)
    assert chart.times == ("0 s", "2.0 s", "4.0 s")
    assert chart.sentence == "750 requests a minute on average, 62% of the limit; 1,200 at most"
    assert chart.bars[1].title == "1.0 s to 2.0 s: 1,200 requests a minute"


def test_throttled_requests_stand_on_top_of_the_others():
    chart = only(use((20, 20), (5, 0), requests_per_min=1_200))
    marked, clean = chart.bars
    assert (marked.sent_height, marked.refused_height) == pytest.approx((60, 20))
    assert marked.refused_y + marked.refused_height == pytest.approx(marked.sent_y)
    assert clean.refused_height == 0
    assert marked.title.endswith("1,200 requests a minute, 5 throttled")
    assert chart.refused == 5


def test_one_throttled_request_among_thousands_is_seen():
    chart = only(use((5_000,) * 3, (0, 1, 0), requests_per_min=300_000))
    assert chart.bars[1].refused_height >= 2
    assert chart.bars[1].refused_y >= 0


def test_where_few_requests_come_bars_are_of_more_seconds():
    chart = only(use((1,) * 40, requests_per_min=60))
    assert len(chart.bars) == 8
    assert [bar.title for bar in chart.bars][:2] == [
        "0.0 s to 5.0 s: 60 requests a minute",
        "5.0 s to 10 s: 60 requests a minute",
    ]


def test_a_last_bar_of_fewer_seconds_is_narrow_and_has_the_right_rate():
    chart = only(use((1,) * 12, requests_per_min=60))
    assert [bar.sent_height for bar in chart.bars] == pytest.approx([chart.bars[0].sent_height] * 3)
    assert chart.bars[2].width == pytest.approx(chart.bars[0].width * 2 / 5)
    assert chart.sentence.startswith("60 requests a minute on average, 100% of the limit")


@pytest.mark.parametrize("seconds_per_point", [1, 30])
@pytest.mark.parametrize("points", [1, 59, 61, 120, 1_000])
def test_there_are_never_too_many_bars_to_see(points: int, seconds_per_point: int):
    quota = use((30,) * points, requests_per_min=1_200, seconds_per_point=seconds_per_point)
    bars = only(quota).bars
    assert 1 <= len(bars) <= 60
    assert bars[-1].x + bars[-1].width <= 100


@pytest.mark.parametrize(
    ("tokens", "limit", "units"),
    [
        (20_000, 1_000_000, ["requests a minute", "tokens a minute"]),  # both at their limits
        (5_000, 1_000_000, ["requests a minute"]),
        (20_000, None, ["requests a minute"]),
        (0, 1_000_000, ["requests a minute"]),
    ],
)
def test_tokens_are_shown_where_they_bind(tokens: int, limit: int | None, units: list[str]):
    quota = use((20,) * 5, tokens=(tokens,) * 5, requests_per_min=1_200, tokens_per_min=limit)
    assert [chart.unit for chart in quota_charts({"caption": quota})] == units


def test_without_a_limit_there_is_no_line():
    chart = only(use((20, 30)))
    assert chart.limit is None
    assert chart.sentence == "1,500 requests a minute on average; 1,800 at most"


def test_a_stage_that_asked_for_nothing_has_no_chart():
    assert quota_charts({"caption": use((0, 0)), "embed": use(())}) == []


@pytest.mark.parametrize("requests", [1, 7, 99, 1_234, 10_000_000])
def test_the_limit_is_on_the_plot_and_the_axis_is_of_round_numbers(requests: int):
    chart = only(use((requests,), requests_per_min=requests * 40))
    assert 0 < chart.limit_y < 100
    assert all(0 <= bar.sent_y <= 100 for bar in chart.bars)
    top = float(chart.ticks[0].replace(",", ""))
    assert top >= requests * 60
    assert len(chart.ticks[0].replace(",", "").replace(".", "").strip("0")) <= 2
