"""What a run's folder holds: files that are counted once, work lists, texts."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fakes.tables import dead_letter_rows, image_rows, manifest_rows
from tuku import run_folder
from tuku.lake import Lake, Run
from tuku.part_files import footer_rows
from tuku.schemas import DEAD_LETTERS
from tuku.storage import Storage


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run, _ = Lake.at(str(tmp_path / "lake")).begin()
    return run


def test_a_file_is_opened_once_to_be_counted_and_again_when_it_is_another(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.write_block("block", image_rows({}, {}), dead_letter_rows({}))
    run.write_deleted("all", ["x", "y", "z"])
    opened: list[str] = []

    def counted(storage: Storage, name: str) -> int:
        opened.append(name.rsplit("/", 2)[1])
        return footer_rows(storage, name)

    monkeypatch.setattr(run_folder, "footer_rows", counted)
    assert (run.rows("parts"), run.rows("errors"), run.rows("parts")) == (2, 1, 2)
    assert opened == ["parts", "errors"]
    run.write_block("block", image_rows({}, {}, {}), DEAD_LETTERS.empty_table())
    run.commit()
    assert sorted(opened) == ["deleted", "errors", "parts", "parts"]
    assert Run(run.storage, run.run_id).file_rows("parts") == {f"{run.folder}/parts/part-block.parquet": 3}
    assert (Run(run.storage, run.run_id).rows("errors"), Run(run.storage, run.run_id).rows("deleted")) == (0, 3)
    assert len(opened) == 4


def test_the_work_list_comes_in_row_groups(run: Run) -> None:
    run.write_work(1, manifest_rows({}), 2)
    run.write_work(0, manifest_rows({}, {}, {}), 2)
    assert [name.rsplit("/", 1)[1] for name in run.work()] == ["work-000000.parquet", "work-000001.parquet"]
    assert [pq.read_metadata(run.storage.path(name)).num_row_groups for name in run.work()] == [2, 1]


def test_texts_come_back_as_they_were(run: Run) -> None:
    run.write_json("plan.json", {"名": 1})
    assert '"名": 1' in run.storage.read(f"{run.folder}/plan.json").decode()
    assert run.begun
