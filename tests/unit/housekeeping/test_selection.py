"""Which runs are worth compacting: the newest, from the oldest that is small, dead, or outgrown by those after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.nights import PART, night
from tuku.housekeeping.selection import RunSize, choose_runs, part_sizes, run_sizes, small_files
from tuku.lake import Lake, Run
from tuku.lake_view import LakeView
from tuku.storage import DiskStorage


def size(number: int, files: int, small: int, mb: int, rows: int = 100, live: int | None = None) -> RunSize:
    run = Run(Lake.at("/nowhere").storage, f"run-{number}")
    return RunSize(run, files, small, mb * 1_000_000, rows, rows if live is None else live)


LARGE = {"files": 40, "small": 1, "mb": 10_000}
NIGHT = {"files": 4, "small": 4, "mb": 4}
EMPTY = {"files": 0, "small": 0, "mb": 0, "rows": 0}


@pytest.mark.parametrize(
    ("runs", "chosen"),
    [
        ([], []),
        ([LARGE], []),
        ([EMPTY], []),
        ([{"files": 1, "small": 1, "mb": 1}], []),
        ([{"files": 1, "small": 1, "mb": 1}, EMPTY, EMPTY], []),
        ([NIGHT], [0]),
        ([LARGE, NIGHT], [1]),
        ([LARGE, EMPTY, NIGHT, EMPTY], [2, 3]),
        ([LARGE, {"files": 1, "small": 1, "mb": 1}], []),  # of one file nothing fewer can be made
        ([LARGE, {"files": 3, "small": 1, "mb": 700}, NIGHT], [2]),
        ([LARGE, {"files": 3, "small": 1, "mb": 700}, {"files": 3, "small": 0, "mb": 750}, NIGHT], [1, 2, 3]),
        ([LARGE, *[{"files": 40, "small": 0, "mb": 5_000}] * 2, NIGHT], [0, 1, 2, 3]),
        ([{**LARGE, "live": 49}, LARGE | {"mb": 1}], [0, 1]),  # mostly superseded
        ([{**LARGE, "live": 51}, LARGE | {"mb": 1}], []),
        ([{"files": 1, "small": 1, "mb": 1, "live": 99}], [0]),
    ],
)
def test_what_is_chosen(runs: list[dict[str, int]], chosen: list[int]) -> None:
    sizes = [size(number, **each) for number, each in enumerate(runs)]
    assert [run.run_id for run in choose_runs(sizes)] == [f"run-{number}" for number in chosen]


def test_everything() -> None:
    sizes = [size(0, **LARGE), size(1, **LARGE | {"mb": 1})]
    assert choose_runs(sizes) == ()
    assert len(choose_runs(sizes, everything=True)) == 2
    assert choose_runs([size(0, **LARGE)], everything=True) == ()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(str(tmp_path / "lake"))


def test_sizes_are_those_on_disk(lake: Lake) -> None:
    first, second = night(lake, ok="abc"), night(lake, ok="c", gone="a")
    view = LakeView.everything(lake)
    one, other = run_sizes(view, PART)
    assert (one.run, one.files, one.small, one.rows, one.live, one.dead) == (first, 2, 2, 3, 1, 2)
    assert (other.run, other.files, other.rows, other.live) == (second, 1, 1, 1)
    assert one.size == sum(lake.storage.size(name) for name in first.parts())
    assert small_files(view, PART) == 3
    assert small_files(view, 2 * one.size // 100) == 0


def test_a_run_is_asked_once_for_its_sizes_unless_a_file_is_behind_a_link(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = night(lake, ok="abcdef")
    linked, *_ = run.parts()
    sizes, asked = [lake.storage.size(name) for name in run.parts()], list[str]()
    lake.storage.path(linked).rename(tmp_path / "elsewhere.parquet")
    lake.storage.path(linked).symlink_to(tmp_path / "elsewhere.parquet")
    usual = DiskStorage.size
    monkeypatch.setattr(DiskStorage, "size", lambda self, name: [asked.append(name), usual(self, name)][1])
    assert part_sizes(run) == sizes
    assert asked == [linked]
