"""Compaction: fewer files, and nothing else is different for anybody."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from fakes.nights import PART, STEPS, KilledError, captions, dying, files, images, later, letters, night, now
from tuku.errors import LeaseLostError, StorageError, TukuError
from tuku.housekeeping import Steps, compact, compaction, find_removals, remove
from tuku.lake import Lake
from tuku.lake_view import LakeView
from tuku.milvus.loaded_runs import LoadedRuns
from tuku.schemas import IMAGES


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(str(tmp_path / "lake"))


@pytest.fixture
def old(lake: Lake) -> Lake:
    """A lake with something of everything."""
    night(lake, ok="abcdef", failed="xy")
    night(lake, ok="bx", failed="z", gone="c")
    night(lake)
    night(lake, ok="cd", gone="ef")
    return lake


def test_readers_see_the_same_images_in_fewer_files(old: Lake) -> None:
    before, failures = now(old), letters(old)
    replaced = [run.run_id for run in old.runs()]
    done = compact(old, PART, STEPS)
    assert done is not None
    assert done.replaced == tuple(replaced)
    assert (done.rows, done.superseded, done.files_before, done.files) == (5, 5, 5, 1)
    assert done.bytes_before > done.bytes > 0
    assert now(old).equals(before)
    assert captions(old) == "a1 b2 c4 d4 x2"
    assert letters(old).equals(failures)
    view = LakeView.everything(old)
    assert (view.rows(), view.stored_rows(), len(view.files)) == (5, 5, 1)
    assert view.run_ids() == {*replaced, done.run_id}


def test_rows_stay_as_they_were_made(old: Lake) -> None:
    made_by = dict(zip(*(now(old).column(name).to_pylist() for name in ("image_id", "run_id")), strict=True))
    done = compact(old, PART, STEPS)
    assert done is not None
    assert done.run_id not in made_by.values()
    compact(old, PART, STEPS, everything=True)
    assert dict(zip(*(now(old).column(name).to_pylist() for name in ("image_id", "run_id")), strict=True)) == made_by


def test_what_has_been_compacted_is_left_alone(old: Lake) -> None:
    compact(old, PART, STEPS)
    there = files(old)
    assert compact(old, PART, STEPS) is None
    assert compact(old, PART, STEPS, everything=True) is None
    assert files(old) == there


def test_a_lake_without_images_is_left_alone(lake: Lake) -> None:
    assert compact(lake, PART, STEPS) is None
    night(lake, failed="a")
    assert compact(lake, PART, STEPS, everything=True) is None


def test_the_newest_row_wins_with_compactions_in_between(lake: Lake) -> None:
    night(lake, ok="abcd")
    night(lake, ok="ab")
    compact(lake, PART, STEPS)
    night(lake, ok="ae", gone="d")
    assert captions(lake) == "a4 b2 c1 e4"
    compact(lake, PART, STEPS)
    assert captions(lake) == "a4 b2 c1 e4"
    night(lake, ok="d", gone="b")
    assert captions(lake) == "a4 c1 d6 e4"


def test_deletions_of_what_an_older_run_holds_are_taken_along(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    night(lake, ok="abcd")
    night(lake, ok="e", gone="ab")
    night(lake, ok="f", gone="e")
    newest_two = lake.committed_runs()[1:]
    monkeypatch.setattr(compaction, "choose_runs", lambda sizes, everything: tuple(newest_two))
    done = compact(lake, PART, STEPS)
    assert done is not None
    assert captions(lake) == "c1 d1 f3"
    assert lake.runs()[-1].rows("deleted") == 2  # a and b; of e nothing is left


def test_an_interrupted_run_is_part_of_it(lake: Lake) -> None:
    night(lake, ok="ab")
    night(lake, ok="b", gone="a", end="nothing")
    assert captions(lake) == "a1 b1"
    done = compact(lake, PART, STEPS)
    assert done is not None
    assert len(done.replaced) == 2
    assert captions(lake) == "a1 b2"  # what it was about to delete stays


def test_a_collection_that_has_the_runs_has_the_compaction(old: Lake) -> None:
    loaded = LoadedRuns().adding(LakeView.everything(old).run_ids())
    compact(old, PART, STEPS)
    view = LakeView.everything(old)
    assert list(view.changed_since(loaded)) == []
    assert list(view.deleted_since(loaded)) == []


def test_a_collection_that_lacks_some_of_the_runs_gets_their_rows(old: Lake) -> None:
    loaded = LoadedRuns().adding(run.run_id for run in old.runs()[:2])
    compact(old, PART, STEPS)
    view = LakeView.everything(old)
    sent = pa.concat_tables(view.changed_since(loaded))
    assert sorted(sent.column("caption").to_pylist()) == ["c4", "d4"]
    assert sent.schema == IMAGES
    assert {each for ids in view.deleted_since(loaded) for each in ids.to_pylist()} == {"e", "f"}


def test_a_collection_that_lacks_runs_that_were_compacted_twice_still_learns_what_they_deleted(lake: Lake) -> None:
    night(lake, ok="abc")
    loaded = LoadedRuns().adding(LakeView.everything(lake).run_ids())
    night(lake, gone="a")
    compact(lake, PART, STEPS)
    night(lake, ok="d")
    compact(lake, PART, STEPS)
    view = LakeView.everything(lake)
    assert view.run_ids() == {run.run_id for run in lake.runs()}
    assert [ids.to_pylist() for ids in view.deleted_since(loaded)] == [["a"]]


def test_a_kill_at_any_moment_leaves_the_lake_as_it_was(old: Lake) -> None:
    before, failures = now(old), letters(old)
    for change in range(1_000):
        with dying(old, change) as done:
            try:
                compact(old, PART, STEPS)
                break
            except KilledError:
                pass
        assert now(old).equals(before), done
        assert letters(old).equals(failures), done
    else:
        pytest.fail("it never came to an end")
    assert change >= 5
    assert now(old).equals(before)
    remove(old, find_removals(old, later(10)), STEPS)
    assert now(old).equals(before)
    assert letters(old).equals(failures)
    ended = {name.split("/")[1] for name in files(old) if "/parts/" in name}
    assert len(ended) == 1, "only the last compaction's files are there"
    assert not [name for name in files(old) if ".tmp" in name]


def test_a_lost_lease_stops_it(old: Lake) -> None:
    before, there = now(old), files(old)

    def lost() -> None:
        raise LeaseLostError("Somebody else works on the lake.")

    with pytest.raises(LeaseLostError):
        compact(old, PART, Steps(lost, lambda name, detail: None))
    assert now(old).equals(before)
    assert files(old) == there


def test_a_copy_that_is_not_the_same_is_thrown_away(old: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    before, there = now(old), files(old)
    write = compaction.write_parts

    def forgetful(run, tables, *others) -> None:
        write(run, (table.set_column(6, "caption", pa.array(["x"] * len(table))) for table in tables), *others)

    monkeypatch.setattr(compaction, "write_parts", forgetful)
    with pytest.raises(TukuError, match="are not the 5 that were to be copied"):
        compact(old, PART, STEPS)
    assert now(old).equals(before)
    assert files(old) == there


def test_a_full_disk_is_found_before_anything_is_written(old: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    there = files(old)
    monkeypatch.setattr(type(old.storage), "free_bytes", lambda _: 100)
    with pytest.raises(StorageError, match="100 B are free"):
        compact(old, PART, STEPS)
    assert files(old) == there


def test_a_damaged_file_stops_it(old: Lake) -> None:
    name = LakeView.everything(old).runs[-1].parts()[0]
    old.storage.write(name, b"no Parquet")
    there = files(old)
    with pytest.raises(StorageError, match="cannot be read"):
        compact(old, PART, STEPS)
    assert files(old) == there


def test_somebody_who_reads_meanwhile_is_not_disturbed(old: Lake) -> None:
    view = LakeView.everything(old)
    reading = view.batches()
    first = next(reading)
    compact(old, PART, STEPS)
    remove(old, find_removals(old, later(0)), STEPS)
    assert pa.concat_tables([first, *reading]).sort_by("image_id").combine_chunks().equals(now(old))
    assert images(view).equals(now(old))


def test_a_load_that_was_cut_off_sees_that_its_rows_come_in_another_order(old: Lake) -> None:
    before = LakeView.everything(old).sources()
    night(old)
    assert LakeView.everything(old).sources() == before
    compact(old, PART, STEPS)
    assert not set(LakeView.everything(old).sources()) & set(before)
