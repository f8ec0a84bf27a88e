"""A report with something in every part."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from tuku.report import ApiUse, Check, LoadSummary, Report, Rows, StageTime, VerifySummary


def full_report(**changes: Any) -> Report:
    values: dict[str, Any] = {
        "run_id": "run-1",
        "status": "ok",
        "exit_code": 0,
        "config_sha256": "c0ffee" * 10,
        "started_at": datetime(2025, 11, 21, 5, 49, 12, tzinfo=timezone.utc),
        "seconds": 10.0,
        "rows": Rows(manifest=100, new=49, changed=1, unchanged=40, deleted=2, ok=47, failed=3, duplicates=10),
        "errors": {"http_404": 1, "truncated": 2},
        "api": {"caption": ApiUse(requests=50, retries=4, input_tokens=9_000, cost=1.25)},
        "stages": {"fetch": StageTime.of(50, 2.0), "decode": StageTime.of(50, 4.0)},
        "load": LoadSummary(strategy="upsert", collection="tuku_1", alias="tuku", inserted=47),
        "verify": VerifySummary(passed=True, checks=(Check(name="row count", expected=97, actual=97, passed=True),)),
        "paths": {"report": "/lake/runs/run-1/report.html"},
    }
    return Report(**(values | changes))
