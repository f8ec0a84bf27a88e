"""The lake: runs that readers see or do not see, one that works on it, a stamp."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path

import pyarrow as pa
import pytest

from fakes.tables import dead_letter_rows, image_rows
from tuku import lake as lake_module
from tuku.errors import LeaseLostError, StorageError
from tuku.journal import AnswerJournal
from tuku.lake import Lake, Run, Stamp, new_run_id
from tuku.schemas import DEAD_LETTERS, IMAGES, PAID

NO_IMAGES, NO_DEAD_LETTERS = IMAGES.empty_table(), DEAD_LETTERS.empty_table()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(str(tmp_path / "lake"))


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


@pytest.mark.parametrize("name", ["lost+found", ".tmp-x", "20261121T021500999999Z", "20261121T021500999999Z-ffff.bak"])
def test_a_folder_of_another_name_is_no_run(lake: Lake, name: str) -> None:
    lake.storage.write(f"runs/{name}/parts/part-0.parquet", b"somebody else's")
    assert lake.begin()[1] == []
    assert lake.runs() == []
    assert lake.storage.folders("runs") == [name]


def test_beginning_writes_nothing_for_the_new_run(lake: Lake) -> None:
    run, interrupted = lake.begin()
    assert interrupted == []
    assert not run.begun
    assert lake.runs() == []


def test_an_interrupted_run_is_sealed_and_named_if_there_is_anything_to_build_on(lake: Lake) -> None:
    with_parts, _ = lake.begin()
    with_parts.write_block("block", image_rows({}), NO_DEAD_LETTERS)
    without_parts = Run(lake.storage, new_run_id())
    without_parts.write_block("block", NO_IMAGES, dead_letter_rows({}))
    assert lake.committed_runs() == []
    _, interrupted = lake.begin()
    assert interrupted == [with_parts.run_id]
    assert lake.committed_runs() == [with_parts, without_parts]
    assert lake.begin()[1] == []


def test_an_interrupted_run_that_had_only_answers_is_built_upon_too(lake: Lake) -> None:
    stopped, _ = lake.begin()
    stopped.write_block("block", NO_IMAGES, NO_DEAD_LETTERS, pa.Table.from_pylist([{"caption": "A cat"}], PAID))
    killed = Run(lake.storage, new_run_id(after=stopped.run_id))
    journal = AnswerJournal(killed, "worker", pytest.fail, flush_interval_s=60)
    journal.append({"caption": "A cat"})
    journal.close()
    assert lake.begin()[1] == [stopped.run_id, killed.run_id]


def test_a_run_that_was_only_asleep_cannot_commit_even_if_it_had_finished_nothing(lake: Lake) -> None:
    asleep, _ = lake.begin()
    asleep.write_json("plan.json", {})
    lake.begin()
    with pytest.raises(LeaseLostError):
        asleep.write_block("block", image_rows({}), NO_DEAD_LETTERS)
    with pytest.raises(LeaseLostError):
        asleep.commit()
    assert [run.rows() for run in lake.committed_runs()] == [0]


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


def test_a_rejected_run_is_never_built_upon_and_what_it_paid_for_is_kept(lake: Lake) -> None:
    run, _ = lake.begin()
    run.write_block("b", image_rows({"image_id": "a", "caption": "A cat"}), NO_DEAD_LETTERS)
    run.reject("2 planned, 1 on disk")
    assert lake.begin()[1] == []
    assert not run.committed
    assert [row["caption"] for table in lake.paid() for row in table.to_pylist()] == ["A cat"]


def test_nobody_else_s_run_is_sealed(lake: Lake) -> None:
    run, _ = lake.begin()
    run.write_block("b", image_rows({"image_id": "a"}), NO_DEAD_LETTERS)

    def lost() -> None:
        raise LeaseLostError("Somebody else works on the lake.")

    with pytest.raises(LeaseLostError):
        lake.begin(lost)
    assert not run.committed
