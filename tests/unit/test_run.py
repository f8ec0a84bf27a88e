"""One run: files that replace themselves, and the marker that says which of them count."""

from __future__ import annotations

import io
import json
import os
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fakes.tables import dead_letter_rows, image_rows
from tuku.errors import LeaseLostError, StoppedError, StorageError
from tuku.lake import Lake, Run, read_rows
from tuku.schemas import DEAD_LETTERS, DELETED, IMAGES, PAID
from tuku.storage import DiskStorage, Storage

NO_IMAGES, NO_DEAD_LETTERS = IMAGES.empty_table(), DEAD_LETTERS.empty_table()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(str(tmp_path / "lake"))


@pytest.fixture
def run(lake: Lake) -> Run:
    """A run with one file of each kind, not committed."""
    run, _ = lake.begin()
    paid = pa.Table.from_pylist([{"content_sha256": "c", "caption": "A cat"}] * 4, PAID)
    run.write_block("block", image_rows({}, {}), dead_letter_rows({}), paid)
    run.write_deleted("all", ["x", "y", "z"])
    return run


def again(run: Run) -> Run:
    """The same run, as another process sees it."""
    return Run(run.storage, run.run_id)


def marker_of(run: Run) -> dict[str, Any]:
    return json.loads(run.storage.read(f"{run.folder}/_COMMITTED"))


def read_all(run: Run, names: list[str]) -> pa.Table:
    return pa.concat_tables(table for name in names for table in read_rows(run.storage, name))


def test_the_same_block_written_twice_gives_one_file(lake: Lake) -> None:
    run, _ = lake.begin()
    for _ in range(2):
        run.write_block("block", image_rows({}, {}), dead_letter_rows({}))
    assert run.parts() == [f"runs/{run.run_id}/parts/part-block.parquet"]
    assert run.errors() == [f"runs/{run.run_id}/errors/part-block.parquet"]
    assert (run.rows("parts"), run.rows("errors")) == (2, 1)


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
    images = image_rows(*[{"caption": str(i) * 99} for i in range(5_000)])
    usual = Path.open

    def full(path: Path, mode: str = "r", **named: Any) -> Any:
        return io.BufferedWriter(io.FileIO("/dev/full", mode)) if mode == "wb" else usual(path, mode, **named)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(StoppedError, match="disk is full"):
        run.write_block("block", images, NO_DEAD_LETTERS)
    assert run.parts() == [f"{run.folder}/parts/part-before.parquet"]
    assert run.rows() == 1


def test_columns_can_be_chosen(lake: Lake) -> None:
    run, _ = lake.begin()
    run.write_block("block", image_rows({}, {}), NO_DEAD_LETTERS)
    [table] = read_rows(lake.storage, run.parts()[0], ["image_id", "keywords"])
    assert table.to_pydict() == {"image_id": ["id-0", "id-1"], "keywords": [["picture"], ["picture"]]}


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
        run.rows()


def test_what_is_deleted_comes_back(run: Run) -> None:
    assert run.deleted() == [f"{run.folder}/deleted/part-all.parquet"]
    assert read_all(run, run.deleted()).equals(pa.table({"image_id": ["x", "y", "z"]}, DELETED))
    run.write_deleted("all", pa.chunked_array([["v"], ["w"]]))
    assert read_all(run, run.deleted()).column("image_id").to_pylist() == ["v", "w"]
    run.write_deleted("all", [])
    assert run.deleted() == []


def test_the_marker_lists_the_files_and_their_rows(run: Run) -> None:
    run.commit()
    marker = marker_of(run)
    assert list(marker) == ["committed_at", "sealed", "files"]
    assert marker["sealed"] is False
    assert marker["files"] == {
        "parts": {"parts/part-block.parquet": 2},
        "errors": {"errors/part-block.parquet": 1},
        "deleted": {"deleted/part-all.parquet": 3},
        "paid": {"paid/part-block.parquet": 4},
    }


def test_a_run_has_as_many_rows_before_as_after_it_is_committed(run: Run) -> None:
    rows = {"parts": 2, "errors": 1, "deleted": 3, "paid": 4}
    assert {kind: run.rows(kind) for kind in rows} == rows
    run.commit()
    assert {kind: again(run).rows(kind) for kind in rows} == rows


def test_rows_of_a_committed_run_are_counted_without_opening_a_file(run: Run) -> None:
    run.commit()
    run.storage.write(run.parts()[0], b"damaged: opening it would raise")
    assert again(run).rows() == 2


def test_what_comes_after_the_commit_does_not_count(run: Run) -> None:
    run.commit()
    before = {kind: getattr(again(run), kind)() for kind in ("parts", "errors", "deleted", "paid")}
    for name in [name for names in before.values() for name in names]:
        run.storage.write(name.replace("part-", "part-late-"), run.storage.read(name))
    assert {kind: getattr(again(run), kind)() for kind in before} == before
    assert again(run).rows() == 2


def test_what_a_marker_lists_cannot_be_replaced_or_removed_by_a_worker_that_was_left(run: Run) -> None:
    worker = again(run)
    again(run).seal()
    with pytest.raises(LeaseLostError, match="Another run has taken over"):
        worker.write_block("block", NO_IMAGES, dead_letter_rows({}, {}))
    with pytest.raises(LeaseLostError):
        worker.write_deleted("all", [])
    assert read_all(run, run.parts()).num_rows == 2


def test_a_listed_file_that_is_missing_is_an_error_when_it_is_read(run: Run) -> None:
    run.commit()
    [name] = run.parts()
    run.storage.remove(name)
    assert again(run).parts() == [name]
    with pytest.raises(StorageError, match=name) as error:
        read_all(run, again(run).parts())
    assert f"delete its whole run, {run.storage.path(run.folder)}:" in error.value.remedy


def test_a_run_deleted_as_a_whole_is_gone(lake: Lake, run: Run) -> None:
    run.commit()
    for path in sorted(run.storage.path(run.folder).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    run.storage.path(run.folder).rmdir()
    assert lake.committed_runs() == []


def test_a_committed_run_is_one_read_whatever_is_asked_of_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.commit()
    reads: list[str] = []
    read = DiskStorage.find

    def counted(storage: Storage, name: str) -> bytes | None:
        reads.append(name)
        return read(storage, name)

    def refused(*_args: Any, **_named: Any) -> Any:
        raise AssertionError("neither a folder is listed nor a file looked at")

    monkeypatch.setattr(DiskStorage, "find", counted)
    for name in ("scandir", "stat"):
        monkeypatch.setattr(os, name, refused)
    other = again(run)
    assert other.committed
    assert other.parts() + other.errors() + other.deleted() + other.paid()
    assert other.rows() == 2
    assert reads == [f"{run.folder}/_COMMITTED"]


def test_a_run_that_another_has_sealed_cannot_be_committed(run: Run) -> None:
    again(run).seal()
    with pytest.raises(LeaseLostError, match="Another run has taken over") as error:
        run.commit()
    assert isinstance(error.value, StorageError)
    assert error.value.exit_code == 5
    assert "Nothing was lost" in error.value.message
    assert "Run the same command again" in error.value.remedy
    assert run.parts() == [f"{run.folder}/parts/part-block.parquet"]


def test_a_commit_whose_answer_was_lost_can_be_repeated(run: Run) -> None:
    run.commit()
    marker = marker_of(run)
    again(run).commit()
    run.commit()
    assert marker_of(run) == marker


def test_a_run_that_commits_at_the_last_moment_is_not_sealed(run: Run) -> None:
    run.commit()
    other = again(run)
    other.seal()
    assert marker_of(run)["sealed"] is False
    assert other.rows("deleted") == 3


def test_sealing_keeps_what_was_paid_for_and_deletes_nothing(run: Run) -> None:
    again(run).seal()
    marker = marker_of(run)
    assert marker["sealed"] is True
    assert marker["files"]["deleted"] == {}
    assert (run.rows("parts"), run.rows("errors"), run.rows("paid")) == (2, 1, 4)
    assert run.deleted() == []


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"null", b'{"committed_at": "", "sealed": false, "files": []}', b"\xff"],
)
def test_a_marker_that_tuku_did_not_write_is_named_and_can_be_made_anew(lake: Lake, run: Run, content: bytes) -> None:
    run.storage.write(f"{run.folder}/_COMMITTED", content)
    with pytest.raises(StorageError, match="_COMMITTED") as error:
        lake.committed_runs()
    assert "delete it" in error.value.remedy
    run.storage.remove(f"{run.folder}/_COMMITTED")
    assert lake.begin()[1] == [run.run_id]
    assert again(run).rows() == 2


def test_runs_travel_to_workers_with_what_they_know(run: Run) -> None:
    run.commit()
    run.storage.remove(f"{run.folder}/_COMMITTED")
    there = pickle.loads(pickle.dumps(run))
    assert there == run
    assert there.committed


def test_files_go_off_the_list_and_a_list_that_somebody_else_has_changed_is_left_alone(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.commit()
    first, *others = run.parts()
    run.drop([first])
    assert run.parts() == again(run).parts() == others
    monkeypatch.setattr(DiskStorage, "swap", lambda *_, **__: False)
    with pytest.raises(LeaseLostError):
        run.drop(run.errors())
