"""The lake: runs that readers see or do not see, files that replace themselves, a stamp."""

from __future__ import annotations

import io
import os
import re
from datetime import datetime, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fakes.tables import dead_letter_rows, image_rows, manifest_rows
from tuku import lake as lake_module
from tuku.errors import StoppedError, StorageError
from tuku.lake import Lake, Run, Stamp, count_rows, new_run_id, read_rows
from tuku.schemas import DEAD_LETTERS, IMAGES

NO_IMAGES, NO_DEAD_LETTERS = IMAGES.empty_table(), DEAD_LETTERS.empty_table()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(str(tmp_path / "lake"))


def read_all(run: Run, names: list[str]) -> pa.Table:
    return pa.concat_tables(table for name in names for table in read_rows(run.storage, name))


def test_run_ids_sort_by_time() -> None:
    ids = [new_run_id() for _ in range(200)]
    assert [run_id[:22] for run_id in ids] == sorted(run_id[:22] for run_id in ids)
    assert len(set(ids)) == len(ids)
    assert re.fullmatch(r"\d{8}T\d{12}Z-[0-9a-f]{4}", ids[0])


def test_run_ids_go_on_even_if_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    last = "20261121T021500999999Z-ffff"
    monkeypatch.setattr(lake_module, "_now", lambda: datetime(2026, 11, 20, tzinfo=timezone.utc))
    assert new_run_id() < last
    assert new_run_id(after=last).startswith("20261121T021501000000Z-")
    assert new_run_id(after="a folder of somebody else's").startswith("20261120T000000000000Z-")


def test_a_new_run_sorts_after_all_others_of_its_lake(lake: Lake) -> None:
    ahead = Run(lake.storage, "20991231T235959000000Z-abcd")
    ahead.commit()
    run, _ = lake.begin()
    run.commit()
    assert [each.run_id for each in lake.committed_runs()] == [ahead.run_id, run.run_id]


def test_the_same_block_written_twice_gives_one_file(lake: Lake) -> None:
    run, _ = lake.begin()
    for _ in range(2):
        run.write_block("block", image_rows({}, {}), dead_letter_rows({}))
    assert run.parts() == [f"runs/{run.run_id}/parts/part-block.parquet"]
    assert run.errors() == [f"runs/{run.run_id}/errors/part-block.parquet"]
    assert count_rows(run.storage, run.parts()) == 2
    assert count_rows(run.storage, run.errors()) == 1


def test_a_block_that_ends_otherwise_the_second_time_leaves_no_row_twice(lake: Lake) -> None:
    run, _ = lake.begin()
    run.write_block("block", image_rows({"image_id": "a"}), dead_letter_rows({"image_id": "b"}))
    run.write_block("block", image_rows({"image_id": "a"}, {"image_id": "b"}), NO_DEAD_LETTERS)
    assert read_all(run, run.parts()).column("image_id").to_pylist() == ["a", "b"]
    assert run.errors() == []
    run.write_block("block", NO_IMAGES, dead_letter_rows({"image_id": "a"}, {"image_id": "b"}))
    assert run.parts() == []
    assert read_all(run, run.errors()).column("image_id").to_pylist() == ["a", "b"]


def test_blocks_of_other_names_stand_beside_each_other(lake: Lake) -> None:
    run, _ = lake.begin()
    run.write_block("one", image_rows({"image_id": "a"}), NO_DEAD_LETTERS)
    run.write_block("two", image_rows({"image_id": "b"}), NO_DEAD_LETTERS)
    assert read_all(run, run.parts()).column("image_id").to_pylist() == ["a", "b"]


def test_rows_come_back_as_they_were_and_all_null_columns_keep_their_type(lake: Lake) -> None:
    run, _ = lake.begin()
    nothing = dict.fromkeys(IMAGES.names)
    images = image_rows({"caption": "一只猫", "keywords": [], "width": 3}, {**nothing, "image_id": "b"})
    run.write_block("block", images, NO_DEAD_LETTERS)
    back = read_all(run, run.parts())
    assert back.schema.equals(IMAGES)
    assert back.to_pylist() == images.to_pylist()
    run.write_block("block", image_rows(nothing), dead_letter_rows(dict.fromkeys(DEAD_LETTERS.names)))
    assert read_all(run, run.parts()).schema.equals(IMAGES)
    assert read_all(run, run.errors()).schema.equals(DEAD_LETTERS)


def test_rows_of_another_schema_are_not_written(lake: Lake) -> None:
    run, _ = lake.begin()
    with pytest.raises(ValueError, match="not matching"):
        run.write_block("block", pa.table({"image_id": ["a"]}), NO_DEAD_LETTERS)
    assert run.parts() == []


def test_a_disk_that_fills_up_in_a_part_file_stops_the_run(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = lake.begin()
    run.write_block("before", image_rows({}), NO_DEAD_LETTERS)
    monkeypatch.setattr(Path, "open", lambda _path, mode: io.BufferedWriter(io.FileIO("/dev/full", mode)))
    with pytest.raises(StoppedError, match="disk is full"):
        run.write_block("block", image_rows(*[{"caption": str(i) * 99} for i in range(5_000)]), NO_DEAD_LETTERS)
    assert run.parts() == [f"{run.folder}/parts/part-before.parquet"]
    assert count_rows(run.storage, run.parts()) == 1


def test_the_work_list_comes_in_row_groups(lake: Lake) -> None:
    run, _ = lake.begin()
    run.write_work(1, manifest_rows({}), 2)
    run.write_work(0, manifest_rows({}, {}, {}), 2)
    assert [name.rsplit("/", 1)[1] for name in run.work()] == ["work-000000.parquet", "work-000001.parquet"]
    assert [pq.read_metadata(run.storage.path(name)).num_row_groups for name in run.work()] == [2, 1]


def test_beginning_writes_nothing_for_the_new_run(lake: Lake) -> None:
    run, interrupted = lake.begin()
    assert interrupted == []
    assert not run.begun
    assert lake.runs() == []


def test_an_interrupted_run_with_parts_is_sealed_and_one_without_is_not_shown(lake: Lake) -> None:
    with_parts, _ = lake.begin()
    with_parts.write_block("block", image_rows({}), NO_DEAD_LETTERS)
    without_parts, _ = lake.begin()
    without_parts.write_block("block", NO_IMAGES, dead_letter_rows({}))
    assert lake.committed_runs() == [with_parts]
    assert not without_parts.committed
    _, interrupted = lake.begin()
    assert interrupted == []
    assert lake.committed_runs() == [with_parts]


def test_begin_names_the_runs_that_it_sealed(lake: Lake) -> None:
    run, _ = lake.begin()
    run.write_block("block", image_rows({}), NO_DEAD_LETTERS)
    assert lake.committed_runs() == []
    _, interrupted = lake.begin()
    assert interrupted == [run.run_id]
    assert lake.committed_runs() == [run]


def test_a_run_is_found_by_its_id_and_the_newest_without_one(lake: Lake) -> None:
    first, _ = lake.begin()
    first.commit()
    second, _ = lake.begin()
    second.commit()
    for run in (first, second):
        run.write_json("report.json", {})
    third, _ = lake.begin()
    third.write_json("plan.json", {})  # nothing has been reported of it yet
    assert lake.run() == second
    assert lake.run(first.run_id) == first


def test_a_run_that_is_not_there_is_named_with_those_that_are(lake: Lake) -> None:
    with pytest.raises(StorageError, match="There is no run in the lake") as error:
        lake.run()
    assert "none" in error.value.remedy
    run, _ = lake.begin()
    run.commit()
    with pytest.raises(StorageError, match="no run r-0") as error:
        lake.run("r-0")
    assert run.run_id in error.value.remedy


def test_texts_come_back_as_they_were(lake: Lake) -> None:
    run, _ = lake.begin()
    run.write_json("plan.json", {"名": 1})
    assert '"名": 1' in lake.storage.read(f"{run.folder}/plan.json").decode()
    assert run.begun


def test_the_stamp_comes_back_as_it_was(lake: Lake) -> None:
    assert lake.stamp() is None
    lake.write_stamp(Stamp("fake/model@1", 8, "f-1"))
    assert lake.stamp() == Stamp("fake/model@1", 8, "f-1")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"embed_model": "m", "dim": "many", "embedding_fingerprint": "f"}', "\xff"],
)
def test_a_stamp_that_tuku_did_not_write_is_refused(lake: Lake, text: str) -> None:
    lake.storage.write("models.json", text.encode("latin-1"))
    with pytest.raises(StorageError, match=r"models\.json"):
        lake.stamp()


@pytest.mark.parametrize("damage", [b"", b"PAR1 and then something else", None])
def test_a_damaged_part_file_is_named(lake: Lake, damage: bytes | None) -> None:
    run, _ = lake.begin()
    run.write_block("block", image_rows({}), NO_DEAD_LETTERS)
    [name] = run.parts()
    whole = lake.storage.read(name)
    lake.storage.write(name, whole[: len(whole) // 2] if damage is None else damage)
    with pytest.raises(StorageError, match=name):
        list(read_rows(lake.storage, name))
    with pytest.raises(StorageError, match=name):
        count_rows(lake.storage, [name])


def test_columns_can_be_chosen(lake: Lake) -> None:
    run, _ = lake.begin()
    run.write_block("block", image_rows({}, {}), NO_DEAD_LETTERS)
    [table] = read_rows(lake.storage, run.parts()[0], ["image_id", "keywords"])
    assert table.to_pydict() == {"image_id": ["id-0", "id-1"], "keywords": [["picture"], ["picture"]]}


def test_a_lake_belongs_to_one_run_at_a_time(lake: Lake) -> None:
    with lake.exclusive():
        other = Lake.at(str(lake.storage.root))
        with pytest.raises(StorageError, match=f"process {os.getpid()} since"), other.exclusive():
            pass
    with lake.exclusive():
        pass


def test_a_rejected_run_is_never_built_upon(lake: Lake) -> None:
    run, _ = lake.begin()
    run.write_block("b", image_rows({"image_id": "a"}), NO_DEAD_LETTERS)
    run.reject("2 planned, 1 on disk")
    assert lake.begin()[1] == []
    assert not run.committed
