"""A run's record: whatever stops the run, a report comes of it; and the stamp says which vectors the lake holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.models import FakeCaptioner, FakeEmbedder
from tuku.config import Config
from tuku.errors import (
    InterruptedRunError,
    StoppedError,
    StorageError,
    TooManyFailuresError,
    TukuError,
    VerificationError,
)
from tuku.lake import Lake, Stamp
from tuku.pipeline import Models
from tuku.protocols import Usage
from tuku.report import LoadSummary, VerifySummary
from tuku.runtime.blocks import BlockStats
from tuku.runtime.ingest import _stamp
from tuku.runtime.record import Record
from tuku.runtime.work_list import Plan

LOADED = LoadSummary(strategy="upsert", collection="tuku_1", alias="tuku", inserted=5)
PROVEN = VerifySummary(passed=True)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(str(tmp_path / "lake"))


@pytest.fixture
def record(lake: Lake, models: Models) -> Record:
    """A run that has done its work: 10 rows, of which 5 were stored."""
    run, _ = lake.begin()
    stats = BlockStats(
        ok=5,
        errors=Counter(timeout=1, not_found=2),
        failed=Counter(fetch=3),
        rows=Counter(fetch=8, decode=5),
        seconds=Counter(fetch=0.5, decode=2.0),
        usage={"caption": Usage(requests=4, retries=1), "embed": Usage()},
    )
    plan = Plan(manifest=10, new=7, changed=1, unchanged=1, duplicates=1, work=8)
    return Record(Config(), models, run, resumed=False, plan=plan, stats=stats)


@pytest.fixture(scope="module")
def models() -> Models:
    return Models.of(Config(), FakeCaptioner().description, FakeEmbedder().description)


def test_the_report_of_a_run_that_went_well(record: Record) -> None:
    record.load, record.verify, record.resumed = LOADED, PROVEN, True
    report = record.report()
    assert (report.status, report.exit_code, report.message) == ("ok", 0, "")
    assert (report.run_id, report.config_sha256) == (record.run.run_id, Config().sha256())
    assert report.resumed
    assert (report.load, report.verify) == (LOADED, PROVEN)
    rows = report.rows
    assert (rows.manifest, rows.new, rows.changed, rows.ok, rows.failed) == (10, 7, 1, 5, 3)
    assert rows.manifest == rows.unchanged + rows.duplicates + rows.ok + rows.failed


def test_the_report_has_what_was_counted(record: Record) -> None:
    report = record.report()
    assert list(report.errors.items()) == [("not_found", 2), ("timeout", 1)]
    assert {stage: (time.rows, time.rows_per_s) for stage, time in report.stages.items()} == {
        "fetch": (8, 16.0),
        "decode": (5, 2.5),
    }
    assert list(report.stages) == ["fetch", "decode"]
    assert set(report.api) == {"caption"}
    assert (report.api["caption"].requests, report.api["caption"].retries) == (4, 1)


@pytest.mark.parametrize(
    ("error", "status", "exit_code"),
    [
        (TukuError("It broke.", "Mend it."), "failed", 1),
        (StorageError("It broke.", "Mend it."), "failed", 2),
        (TooManyFailuresError("It broke.", "Mend it."), "failed", 3),
        (VerificationError("It broke.", "Mend it."), "failed", 4),
        (StoppedError("It broke.", "Mend it."), "stopped", 5),
        (InterruptedRunError("It broke.", "Mend it."), "stopped", 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, TukuError) else "",
)
def test_the_report_of_a_run_that_did_not_end_well(
    record: Record, error: TukuError, status: str, exit_code: int
) -> None:
    record.error = error
    report = record.report()
    assert (report.status, report.exit_code) == (status, exit_code)
    assert report.message == "It broke. Mend it."
    assert (report.rows.ok, report.rows.failed) == (5, 3)
    assert report.load is report.verify is None


def test_the_report_of_a_run_that_had_not_begun_to_work(lake: Lake, models: Models) -> None:
    run, _ = lake.begin()
    report = Record(Config(), models, run, resumed=False, error=StoppedError("The disk is full.")).report()
    assert report.rows.manifest == report.rows.ok == report.rows.failed == 0
    assert report.stages == report.api == report.errors == {}
    assert report.seconds >= 0


def stamped(lake: Lake, models: Models, plan: Plan, ok: int = 0) -> None:
    run, _ = lake.begin()
    _stamp(Record(Config(), models, run, resumed=False, plan=plan, stats=BlockStats(ok=ok)), lake)


def test_the_first_run_stamps_the_lake(lake: Lake, models: Models) -> None:
    stamped(lake, models, Plan())
    embedder = models.embedder
    assert lake.stamp() == Stamp(embedder.name, embedder.dim, models.embedding_fingerprint)


@pytest.mark.parametrize(
    ("plan", "ok", "follows"),
    [
        pytest.param(Plan(manifest=2, changed=2, work=2), 1, True, id="rows were worked"),
        pytest.param(Plan(manifest=1, changed=1, rewritten=1), 0, True, id="rows were rewritten"),
        pytest.param(Plan(manifest=2, unchanged=2), 0, True, id="a run that died had worked them all"),
        pytest.param(Plan(manifest=2, changed=2, work=2), 0, False, id="all failed"),
        pytest.param(Plan(), 0, False, id="an empty catalogue"),
    ],
)
def test_the_stamp_follows_the_vectors_and_not_the_configuration(
    lake: Lake, models: Models, plan: Plan, ok: int, follows: bool
) -> None:
    stamped(lake, models, Plan(manifest=1, new=1, work=1), ok=1)
    stamped(lake, replace(models, embedding_fingerprint="another"), plan, ok)
    stamp = lake.stamp()
    assert stamp is not None
    assert stamp.embedding_fingerprint == ("another" if follows else models.embedding_fingerprint)


def test_a_stamp_that_is_right_is_left_alone(lake: Lake, models: Models) -> None:
    stamped(lake, models, Plan(), ok=1)
    [path] = lake.storage.root.glob("*.json")
    before = path.stat().st_ino
    stamped(lake, models, Plan(), ok=1)
    assert path.stat().st_ino == before
