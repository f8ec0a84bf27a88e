from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from pydantic import ValidationError

from fakes.reports import full_report
from tuku.errors import StorageError
from tuku.protocols import Usage
from tuku.report import ApiUse, Check, Report, Rows, StageTime


def test_json_has_the_keys_of_the_contract():
    data = json.loads(full_report().to_json())
    contract = {"run_id", "status", "exit_code", "config_sha256", "started_at", "seconds", "rows", "errors", "api"}
    assert contract | {"stages", "load", "verify"} <= set(data)
    assert set(data["rows"]) == {
        "manifest", "new", "changed", "unchanged", "deleted", "ok", "failed", "duplicates",
    }  # fmt: skip
    assert set(data["api"]["caption"]) == {
        "requests", "retries", "throttled", "input_tokens", "output_tokens", "cost", "currency",
    }  # fmt: skip
    assert data["stages"]["fetch"] == {"rows": 50, "seconds": 2.0, "rows_per_s": 25.0}
    assert {"strategy", "collection", "alias", "inserted", "deleted", "files", "seconds"} <= set(data["load"])
    assert data["verify"] == {
        "passed": True,
        "checks": [{"name": "row count", "expected": 97, "actual": 97, "passed": True}],
    }
    assert data["started_at"] == "2025-11-21T05:49:12Z"


def test_what_did_not_happen_is_null():
    data = full_report(load=None, verify=None).to_dict()
    assert data["load"] is None
    assert data["verify"] is None


def test_it_comes_back_as_it_was_written():
    report = full_report(message="磁盘已满", resumed=True)
    assert Report.from_json(report.to_json()) == report
    assert "磁盘已满" in report.to_json()


def test_times_are_utc_wherever_they_were_taken():
    shanghai = datetime(2025, 11, 21, 13, 0, tzinfo=timezone(timedelta(hours=8)))
    assert full_report(started_at=shanghai).to_dict()["started_at"] == "2025-11-21T05:00:00Z"
    with pytest.raises(ValidationError, match="timezone"):
        full_report(started_at=datetime(2025, 11, 21))  # noqa: DTZ001  (what is refused)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_are_finite(number):
    with pytest.raises(ValidationError, match="finite"):
        full_report(seconds=number)
    check = Check(name="recall", expected=0.9, actual=number, passed=False)
    assert check.actual == str(number)


def test_a_check_takes_what_was_measured():
    check = Check(name="x", expected=np.float32(0.5), actual=np.int64(3), passed=np.bool_(True))
    assert json.loads(check.model_dump_json()) == {"name": "x", "expected": 0.5, "actual": 3, "passed": True}
    assert Check(name="x", expected=True, actual="Loaded", passed=False).expected is True


def test_a_file_name_that_is_not_utf8_can_be_reported():
    report = full_report(message="/data/\udcff.jpg", paths={"lake": "/\udcfe"})
    assert "\\udcff" in Report.from_json(report.to_json().encode("utf-8")).message


def test_every_row_is_accounted_for():
    assert full_report().unaccounted() == 0
    assert full_report(rows=Rows(manifest=10, ok=4, failed=1, unchanged=2, duplicates=1)).unaccounted() == 2


def test_rates_and_costs():
    report = full_report(api={"caption": ApiUse(cost=1.0), "embed": ApiUse(cost=0.5), "free": ApiUse()})
    assert report.rows_per_s() == 5.0
    assert report.costs() == {"CNY": 1.5}
    assert full_report(seconds=0).rows_per_s() == 0.0
    assert StageTime.of(3, 0.0).rows_per_s == 0.0


def test_usage_is_taken_over_whole():
    usage = Usage(requests=1, retries=2, throttled=3, input_tokens=4, output_tokens=5, cost=6.5, currency="USD")
    assert ApiUse.of(usage).model_dump() == {
        "requests": 1, "retries": 2, "throttled": 3, "input_tokens": 4, "output_tokens": 5,
        "cost": 6.5, "currency": "USD",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "first"),
    [
        (Rows(manifest=5, unchanged=5), "nothing changed"),
        (Rows(manifest=5, unchanged=5, deleted=1), "1 image deleted"),
        (Rows(manifest=5, ok=5), "5 images ingested"),
    ],
)
def test_headline_says_what_matters(rows, first):
    assert full_report(rows=rows).headline()[0] == first


def test_a_newer_version_can_be_read():
    newer = json.loads(full_report().to_json()) | {"invented_later": 1}
    assert Report.from_json(json.dumps(newer)) == full_report()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"run_id": "x"', '{"run_id": 3}'])
def test_what_is_no_report_is_said_with_its_name(text):
    with pytest.raises(StorageError, match=r"runs/x/report\.json is not a report"):
        Report.from_json(text, "runs/x/report.json")
