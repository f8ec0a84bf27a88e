"""The entry points for `ray job submit` are thin: each is one command of tuku."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

JOBS = Path(__file__).parents[2] / "jobs"
COMMANDS = {
    "ingest": ["ingest", "a.csv", "--json"],
    "load": ["load", "a.csv", "--json"],
    "verify": ["verify", "a.csv", "--json"],
    "backfill": ["ingest", "a.csv", "--json", "--set", "manifest.mode=append"],
}


def test_every_job_is_here() -> None:
    assert {path.stem for path in JOBS.glob("*.py")} == set(COMMANDS)


@pytest.mark.parametrize("job", COMMANDS)
def test_a_job_is_a_command(job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []
    monkeypatch.setattr("tuku.cli.main", given.append)
    monkeypatch.setattr(sys, "argv", [f"{job}.py", "a.csv", "--json"])
    monkeypatch.setenv("TUKU__RUNTIME__ADDRESS", "ray://elsewhere")
    runpy.run_path(str(JOBS / f"{job}.py"), run_name="__main__")
    assert given == [COMMANDS[job]]
    assert len((JOBS / f"{job}.py").read_text().splitlines()) <= 60


@pytest.mark.parametrize("job", ["ingest", "backfill"])
def test_what_needs_ray_joins_the_cluster_that_it_was_submitted_to(job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    addresses: list[str | None] = []
    monkeypatch.setattr("tuku.cli.main", lambda _: addresses.append(os.environ.get("TUKU__RUNTIME__ADDRESS")))
    monkeypatch.delenv("TUKU__RUNTIME__ADDRESS", raising=False)
    runpy.run_path(str(JOBS / f"{job}.py"), run_name="__main__")
    monkeypatch.delenv("TUKU__RUNTIME__ADDRESS", raising=False)
    assert addresses == ["auto"]
