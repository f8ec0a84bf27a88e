"""Tidying up after a run: whatever becomes of it, the run has gone well."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from fakes.nights import captions, night
from fakes.tables import image_rows
from tuku.config import Config
from tuku.errors import InterruptedRunError, LeaseLostError
from tuku.lake import Lake
from tuku.progress import SilentProgress
from tuku.runtime import ingest
from tuku.schemas import DEAD_LETTERS


class Heard(SilentProgress):
    def __init__(self) -> None:
        self.phases: list[tuple[str, str]] = []

    def phase(self, name: str, detail: str = "") -> None:
        self.phases.append((name, detail))


class FreeLease:
    def require(self) -> None:
        pass


class LostLease:
    def require(self) -> None:
        raise LeaseLostError("Somebody else works on the lake.")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake.at(str(tmp_path / "lake"))
    night(lake, ok="abcd")
    night(lake, ok="b")
    return lake


def job(lake: Lake, lease: Any) -> Any:
    config = Config.model_validate({"lake": {"compact_files": 2}})
    return ingest._Job(config, None, lake, lease, None)  # type: ignore[arg-type]  tidying up asks for neither


def test_what_was_done_is_said_with_the_time_it_took(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    progress = Heard()
    ingest._tidy(job(lake, FreeLease()), progress, thorough=True)
    name, said = progress.phases[-1]
    assert name == "tidied"
    assert "compacted into 1 file" in said
    assert "removed in 0." in said
    assert caplog.records == []


def test_a_lease_that_is_lost_is_a_warning(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    before = captions(lake)
    open_, _ = lake.begin()  # of whoever has the lease now
    open_.write_block("a", image_rows({"image_id": "new"}), DEAD_LETTERS.empty_table())
    ingest._tidy(job(lake, LostLease()), Heard(), thorough=True)
    assert "The lake was not tidied up: Somebody else works on the lake." in caplog.text
    assert captions(lake) == before
    assert not open_.committed


@pytest.mark.parametrize(
    "error", [InterruptedRunError("Stopped by SIGTERM."), ValueError("a bug"), OSError(28, "No space left")]
)
def test_so_is_any_other_error(
    lake: Lake, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(ingest, "tidy", failing)
    ingest._tidy(job(lake, FreeLease()), Heard(), thorough=True)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert str(error) in caplog.text
