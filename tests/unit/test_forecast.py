from __future__ import annotations

import io
import json

import pytest

from tuku.forecast import Forecast, StageForecast
from tuku.report import Rows
from tuku.terminal import make_console
from tuku.terms import Price

CAPTION = StageForecast("a/captioner@1", Price(0.001, 0.002, "CNY", "2026-11-21"), 80, 9_000, 1_000, 0.0110004, 4.0)
EMBED = StageForecast("a/embedder@1", Price(0.001, 0.0, "CNY", "2026-10-01"), 10, 4_000, 0, 0.004, 5.5)
LOCAL = StageForecast("local/embedder@1")
ROWS = Rows(manifest=100, new=70, changed=10, unchanged=15, duplicates=3, failed=2)


def rendered(forecast: Forecast) -> str:
    stream = io.StringIO()
    make_console(stream).print(forecast.summary())
    return stream.getvalue()


def test_the_json_is_that_of_the_contract():
    found = Forecast(
        ROWS, {"caption": CAPTION, "embed": EMBED}, sampled=32, reasons={"new": 70, "source": 10}
    ).to_dict()
    assert json.loads(json.dumps(found)) == {
        "rows": {
            "manifest": 100,
            "new": 70,
            "changed": 10,
            "unchanged": 15,
            "deleted": 0,
            "ok": 0,
            "failed": 2,
            "duplicates": 3,
        },
        "reasons": {"new": 70, "source": 10},
        "calls": {"caption": 80, "embed": 10},
        "tokens": {"caption": 10_000, "embed": 4_000},
        "cost": {"caption": 0.011, "embed": 0.004, "total": 0.015, "currency": "CNY"},
        "minutes_at_quota": 5.5,
    }


def test_models_that_run_here_cost_nothing():
    forecast = Forecast(ROWS, {"caption": LOCAL, "embed": LOCAL})
    found = forecast.to_dict()
    assert found["calls"] == {"caption": 0, "embed": 0}
    assert found["cost"] == {"caption": 0.0, "embed": 0.0, "total": 0.0, "currency": "CNY"}
    assert found["minutes_at_quota"] == 0.0
    text = rendered(forecast)
    assert "80 images to do · no calls, no cost: the models run here" in text
    assert "free" in text


def test_two_currencies_have_no_sum():
    dollars = StageForecast("b@1", Price(1, 1, "USD"), 5, 10, 10, 3.0, None)
    forecast = Forecast(ROWS, {"caption": CAPTION, "embed": dollars})
    assert forecast.to_dict()["cost"] == {"caption": 0.011, "embed": 3.0, "total": None, "currency": None}
    assert "CNY 0.01 + USD 3.00" in rendered(forecast)


def test_a_stage_that_costs_nothing_has_no_say_in_the_currency():
    free = StageForecast("b@1", Price(0, 0, "USD"), 5)
    assert Forecast(ROWS, {"caption": CAPTION, "embed": free}).to_dict()["cost"]["currency"] == "CNY"


@pytest.mark.parametrize(
    ("minutes", "expected"), [((4.0, 5.5), 5.5), ((None, 5.5), 5.5), ((None, None), None), ((7.0, None), 7.0)]
)
def test_the_slowest_stage_of_which_a_limit_is_known_decides(minutes, expected):
    stages = {str(n): StageForecast("a@1", Price(), 1, minutes=each) for n, each in enumerate(minutes)}
    assert Forecast(ROWS, stages).minutes == expected


def test_people_see_the_price_its_date_and_that_it_is_an_estimate():
    forecast = Forecast(
        ROWS, {"caption": CAPTION, "embed": EMBED}, 32, {"truncated": 2, "not_found": 1}, warnings=("Beware\x1b",)
    )
    text = rendered(forecast)
    for part in ("80 images to do · 90 calls · about CNY 0.02 · 5 min 30 s", "Estimate, at prices of 2026-10-01 and"):
        assert part in text
    assert "32 of 80 pictures; 3 cannot be read (not_found 1, truncated 2)" in text
    assert "Beware\\e" in text
    total = next(line for line in text.splitlines() if line.strip().startswith("total"))
    assert total.split() == ["total", "90", "13,000", "1,000", "CNY", "0.02", "5", "min", "30", "s"]


def test_people_see_why():
    reasons = {"new": 70_000, "caption": 7, "recheck": 5, "a later one": 1}
    text = rendered(Forecast(ROWS, {"caption": CAPTION}, reasons=reasons))
    lines = [[word.strip() for word in line.split(maxsplit=2)] for line in text.splitlines()]
    assert ["new", "70,000", "not in the lake yet"] in lines
    assert any(line[:2] == ["caption", "7"] and "captioned again" in line[2] for line in lines)
    assert any(line[:2] == ["recheck", "5"] for line in lines)
    assert "Why" not in rendered(Forecast(ROWS, {"caption": CAPTION}))


def test_nothing_to_do_is_said():
    text = rendered(Forecast(Rows(manifest=5, unchanged=4, failed=1), {"caption": CAPTION}))
    assert "nothing to do" in text
    assert "1 row cannot be done" in text
    assert "Estimate" not in text


def test_a_catalogue_of_nothing_but_broken_pictures_is_not_called_local():
    paid = StageForecast("a@1", Price(), 0)
    text = rendered(Forecast(Rows(manifest=1, new=1), {"caption": paid}, 1, {"truncated": 1}))
    assert "1 image to do · no calls\n" in text


def test_one_stage_is_free_and_the_other_is_not():
    text = rendered(Forecast(ROWS, {"caption": CAPTION, "embed": LOCAL}, 32))
    assert "embed: the model runs here, and costs nothing." in text


def test_what_is_not_known_is_not_made_up():
    unknown = StageForecast("openai/x@served", Price(), 5, 10, 10, 0.0, None)
    assert "no limit is known" in rendered(Forecast(ROWS, {"caption": unknown}, 32))
