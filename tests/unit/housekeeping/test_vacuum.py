"""Vacuum: what nothing needs goes, once nobody can be reading it; all else stays, whenever it is killed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from fakes.nights import (
    PART,
    STEPS,
    KilledError,
    captions,
    dying,
    files,
    images,
    later,
    letters,
    night,
    now,
)
from tuku.errors import LeaseLostError, StorageError
from tuku.housekeeping import Removal, Retention, Steps, compact, find_removals, remove
from tuku.housekeeping.survey import Survey
from tuku.lake import Lake, Run
from tuku.lake_view import LakeView
from tuku.load_ledger import LoadLedger
from tuku.storage import DiskStorage


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(str(tmp_path / "lake"))


@pytest.fixture
def old(lake: Lake) -> Lake:
    """A lake with something of everything, compacted, and a night after that."""
    night(lake, ok="abcdef", failed="xy", paid="pa")
    night(lake, ok="bx", failed="z", gone="c")
    night(lake)
    compact(lake, PART, STEPS)
    night(lake, ok="g", gone="e")
    return lake


def reasons(removals: Iterable[Removal]) -> dict[str, set[str]]:
    """Folder or file within the run, by reason."""
    found: dict[str, set[str]] = {}
    for removal in removals:
        inside = {file.name.split("/", 2)[-1].split("/")[0] for file in removal.files}
        found.setdefault(removal.reason, set()).update(inside)
    return found


def vacuum(lake: Lake, retention: Retention) -> dict[str, set[str]]:
    removals = find_removals(lake, retention)
    remove(lake, removals, STEPS)
    return reasons(removals)


@pytest.mark.parametrize("end", ["committed", "rejected", "nothing"])
def test_what_a_run_is_is_not_asked_for_each_of_its_files(
    lake: Lake, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = [asked_of(night(lake, ok=ids, end="nothing"), end, monkeypatch) for ids in ("ab", "abcdefghij")]
    assert questions[0] == questions[1]


def asked_of(run: Run, end: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a survey reads or lists of one run."""
    if end == "committed":
        run.commit()
    elif end == "rejected":
        run.reject("wrong")
    survey, asked = Survey.of(Lake(run.storage), later(1), thorough=False), list[str]()
    with monkeypatch.context() as patch:
        for name in ("find", "exists", "size", "files", "_entries"):
            patch.setattr(DiskStorage, name, noting(asked, getattr(DiskStorage, name)))
        survey.of_run(Run(run.storage, run.run_id))
    return [question.replace(run.run_id, "") for question in asked]


def noting(asked: list[str], method: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(self: DiskStorage, name: str, *arguments: Any) -> Any:
        asked.append(f"{method.__name__} {name}")
        return method(self, name, *arguments)

    return wrapped


def test_work_lists_go_at_once_and_replaced_images_later(old: Lake) -> None:
    replaced = [name for run in old.runs()[:3] for name in run.parts()]
    assert vacuum(old, later(0)) == {"work lists": {"plan"}}
    assert vacuum(old, later(6.9)) == {}
    assert set(replaced) < files(old)
    assert vacuum(old, later(7.1)) == {"replaced": {"parts"}}
    assert not set(replaced) & files(old)
    assert captions(old) == "a1 b2 d1 f1 g5 x2"
    assert vacuum(old, later(7.1)) == {}


def test_nothing_that_is_looked_at_goes_however_old(lake: Lake) -> None:
    first, second = night(lake, ok="ab", failed="c"), night(lake, ok="d")
    assert vacuum(lake, later(10_000)) == {"work lists": {"plan"}}
    kept = {*first.parts(), *first.errors(), *second.parts(), f"{first.folder}/report.json"}
    assert kept <= files(lake)


def test_dead_letters_stand_as_before(old: Lake) -> None:
    before = letters(old)
    assert before.num_rows == 2  # y and z
    for days in (0, 8, 100, 1_000):
        vacuum(old, later(days))
        assert letters(old).equals(before)


def test_old_runs_go_altogether_once_nothing_of_them_stands(lake: Lake) -> None:
    night(lake, ok="ab", failed="x")
    night(lake)
    standing = night(lake, ok="cx", failed="y")
    compact(lake, PART, STEPS)
    night(lake, ok="d")
    before, failures = now(lake), letters(lake)
    assert vacuum(lake, later(91))["old runs"] >= {"report.json", "plan.json", "_COMMITTED", "errors"}
    assert lake.runs()[0] == standing
    assert len(lake.runs()) == 3
    assert now(lake).equals(before)
    assert letters(lake).equals(failures)


def test_a_run_that_settles_a_dead_letter_stays_as_long_as_the_letter(lake: Lake) -> None:
    night(lake, failed="xy")  # has to stay because of y
    night(lake, ok="x")
    settling = night(lake, gone="x")
    compact(lake, PART, STEPS)
    night(lake, ok="a")
    for days in (91, 92, 93):
        vacuum(lake, later(days))
        assert letters(lake).column("image_id").to_pylist() == ["y"]
    assert settling in lake.runs()


def test_answers_go_when_the_images_have_them(lake: Lake) -> None:
    night(lake, paid="ab")
    vacuum(lake, later(0))
    night(lake, ok="a")
    assert "answers" not in reasons(find_removals(lake, later(0)))  # b is paid for, and nowhere else
    night(lake, ok="b")
    assert "answers" not in reasons(find_removals(lake, later(0), thorough=False))
    assert vacuum(lake, later(0))["answers"] == {"paid"}
    assert list(lake.paid()) == []
    assert lake.runs()[0].rows("paid") == 0


def test_answers_that_nobody_needed_for_very_long_go_too(lake: Lake) -> None:
    night(lake, ok="a", paid="z")
    night(lake, ok="b")
    assert "answers" not in vacuum(lake, later(89))
    assert "answers" in vacuum(lake, later(91))


def test_leftovers_go_when_nobody_can_be_writing_them(lake: Lake) -> None:
    run = night(lake, ok="ab")
    for name in (
        "runs/.tmp-no-run",
        ".tmp-probe",
        f"{run.folder}/parts/.tmp-half",
        f"{run.folder}/parts/part-late.parquet",
    ):
        lake.storage.path(name).write_bytes(b"?")
    lake.storage.path(f"{run.folder}/notes.txt").write_text("the operator's")
    assert vacuum(lake, later(0)) == {"work lists": {"plan"}}
    assert vacuum(lake, later(0.1)) == {"unfinished": {"parts", ".tmp-probe"}, "unlisted": {"parts"}}
    assert captions(lake) == "a1 b1"
    assert f"{run.folder}/notes.txt" in files(lake)


def test_of_a_run_that_was_interrupted_everything_stays(lake: Lake) -> None:
    night(lake, ok="ab")
    night(lake, ok="b", paid="p", end="nothing")
    there = files(lake)
    removals = [removal for removal in find_removals(lake, later(1_000)) if removal.run == lake.runs()[-1]]
    assert removals == []
    lake.begin()
    vacuum(lake, later(0))
    assert there - files(lake) == {name for name in there if "/plan/" in name}
    assert captions(lake) == "a1 b2"


def test_a_rejected_run_goes_in_parts(lake: Lake) -> None:
    run = night(lake, ok="ab", failed="c", paid="p", end="nothing")
    run.reject("The rows do not add up.")
    night(lake, ok="a")
    assert vacuum(lake, later(6)) == {"work lists": {"plan"}}
    assert f"{run.folder}/plan/1/work/work-000000.parquet" in files(lake)
    assert vacuum(lake, later(8)) == {"rejected": {"plan", "parts", "errors"}}
    assert run.paid()
    assert vacuum(lake, later(91)) == {"old runs": {"plan.json", "paid", "_REJECTED"}}


def test_links_are_not_followed(old: Lake, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    run = old.runs()[0]
    parts = old.storage.path(f"{run.folder}/parts")
    parts.rename(elsewhere)
    parts.symlink_to(elsewhere)
    there = sorted(elsewhere.iterdir())
    vacuum(old, later(1_000))
    assert sorted(elsewhere.iterdir()) == there
    assert captions(old) == "a1 b2 d1 f1 g5 x2"


def test_what_was_replaced_stays_if_the_copy_is_damaged(old: Lake) -> None:
    copy = next(run for run in old.runs() if run.replaces).parts()[0]
    content = old.storage.read(copy)
    old.storage.write(copy, b"no Parquet")
    with pytest.raises(StorageError, match="cannot be read"):
        find_removals(old, later(8))
    assert "replaced" not in reasons(find_removals(old, later(6), thorough=False))
    old.storage.write(copy, content)
    assert "replaced" in reasons(find_removals(old, later(8)))


@pytest.mark.parametrize("days", [8, 100])
def test_a_kill_at_any_moment_leaves_a_readable_lake(old: Lake, days: float) -> None:
    before, failures = now(old), letters(old)
    for change in range(1_000):
        with dying(old, change) as done:
            try:
                remove(old, find_removals(old, later(days)), STEPS)
                break
            except KilledError:
                pass
        assert now(old).equals(before), done
        assert letters(old).equals(failures), done
        if change % 5 == 4:
            old.begin()  # the next run seals what it takes for an interrupted one
        assert now(old).equals(before), done
    else:
        pytest.fail("it never came to an end")
    assert change > 2
    remove(old, find_removals(old, later(days + 1)), STEPS)
    assert find_removals(old, later(days + 1)) == []
    assert now(old).equals(before)


def test_a_kill_between_any_two_files(old: Lake) -> None:
    before = now(old)
    retention = later(100)
    for removal in find_removals(old, retention):
        for name in [file.name for file in removal.files]:
            if removal.run is not None:
                Run(old.storage, removal.run.run_id).drop([each.name for each in removal.files])
            old.storage.remove(name)
            assert now(old).equals(before), name


def test_a_lost_lease_stops_it(old: Lake) -> None:
    there = files(old)

    def lost() -> None:
        raise LeaseLostError("Somebody else works on the lake.")

    with pytest.raises(LeaseLostError):
        remove(old, find_removals(old, later(100)), Steps(lost, lambda name, detail: None))
    assert files(old) == there


def test_a_reader_with_an_old_view_goes_on_reading(lake: Lake) -> None:
    night(lake, ok="abcd")
    night(lake, ok="bc")
    view = LakeView.everything(lake)
    before = images(view)
    compact(lake, PART, STEPS)
    vacuum(lake, later(6))
    assert images(view).equals(before)
    vacuum(lake, later(8))
    with pytest.raises(StorageError):
        images(view)


def test_readers_have_some_hours_whatever_is_configured() -> None:
    from tuku.config import LakeConfig

    retention = Retention.of(LakeConfig(keep_days=0, keep_runs_days=1))
    assert retention.replaced.total_seconds() == 6 * 3_600
    assert retention.runs.days == 1
    assert Retention.of(LakeConfig()).replaced.days == 7


def cut_off(lake: Lake, collection: str, staged_in: str) -> LoadLedger:
    ledger = LoadLedger(lake.storage, collection, "http://a default tuku", "content", 10, staged_in)
    ledger.save()
    return ledger


def test_a_load_that_was_never_gone_on_with_goes_with_its_staged_files(lake: Lake, tmp_path: Path) -> None:
    night(lake, ok="a")
    remove(lake, find_removals(lake, later(0)), STEPS)
    staged = tmp_path / "tuku-staging" / "tuku__r1-r1"
    staged.mkdir(parents=True)
    (staged / "part-00000.parquet").write_bytes(b"")
    cut_off(lake, "tuku__r1", str(staged))
    assert vacuum(lake, later(6.9)) == {}
    assert len(list(LoadLedger.all(lake.storage))) == 1
    assert list(vacuum(lake, later(7.1))) == ["loads"]
    assert list(LoadLedger.all(lake.storage)) == []
    assert not staged.exists()
    assert staged.parent.exists()


def test_a_ledger_stays_whose_staged_files_cannot_be_removed(
    lake: Lake, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    night(lake, ok="a")
    staged = tmp_path / "tuku-staging" / "tuku__r1-r1"
    staged.parent.mkdir()
    staged.symlink_to(lake.storage.uri)
    stays = cut_off(lake, "tuku__r1", str(staged))
    cut_off(lake, "tuku__r2", "")
    lake.storage.write("loads/strange.json", b"{")
    vacuum(lake, later(7.1))
    assert lake.storage.files("loads") == ["loads/strange.json", stays.name]
    assert f"{stays.name} stays: what was staged in {staged} cannot be removed" in caplog.text
