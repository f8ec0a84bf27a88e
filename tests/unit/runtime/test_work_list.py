"""A plan in the run's folder: the work list in blocks, the rows that are done already, the deletions."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fakes.in_process import ThisProcess
from fakes.models import FakeCaptioner, FakeEmbedder
from fakes.tables import failure, image_rows, manifest_rows, work_rows
from tuku.config import Config, LimitsConfig, ManifestConfig, RuntimeConfig
from tuku.errors import ConfigError, RowError
from tuku.lake import Lake, Run
from tuku.lake_view import LakeView
from tuku.pipeline import Models
from tuku.progress import SilentProgress
from tuku.runtime.planning import Planned, Planner
from tuku.runtime.work_list import (
    Missing,
    Plan,
    WorkList,
    read_contents,
    scratch_of,
    write_contents,
    write_deletions,
    write_done,
)
from tuku.schemas import DEAD_LETTERS, WORK
from tuku.stages.fingerprints import source_fingerprint

MODELS = Models.of(Config(), FakeCaptioner().description, FakeEmbedder().description)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(str(tmp_path / "lake"))


@pytest.fixture
def run(lake: Lake) -> Run:
    return lake.begin()[0]


def configured(block_rows: int = 4, slice_rows: int = 2, mode: Any = "snapshot", most: float = 0.5) -> Config:
    return Config(
        manifest=ManifestConfig(mode=mode),
        runtime=RuntimeConfig(workers=2, block_rows=block_rows, slice_rows=slice_rows),
        limits=LimitsConfig(max_deleted_fraction=most),
    )


def some_work(rows: int, each: int) -> list[pa.Table]:
    table = work_rows(*({} for _ in range(rows)))
    return [table.slice(start, each) for start in range(0, rows, each)]


def written(run: Run, round_: int = 1) -> tuple[list[str], list[int]]:
    """The ids on a work list, and the sizes of its blocks."""
    files = [pq.ParquetFile(run.storage.path(name)) for name in run.work(round_)]
    tables = [file.read() for file in files]
    assert all(table.schema.equals(WORK) for table in tables)
    sizes = [file.metadata.row_group(group).num_rows for file in files for group in range(file.num_row_groups)]
    return [image_id for table in tables for image_id in table["image_id"].to_pylist()], sizes


@pytest.mark.parametrize("rows", [1, 4, 255, 256, 257, 700])
@pytest.mark.parametrize("each", [3, 1_000])
def test_the_work_list_comes_in_blocks_of_the_size_that_is_configured(run: Run, rows: int, each: int) -> None:
    assert WorkList(run, configured(), MODELS, workers=2).write(iter(some_work(rows, each))) == rows
    ids, sizes = written(run)
    assert ids == [f"id-{i}" for i in range(rows)]
    assert sum(sizes) == rows
    assert max(sizes) <= 4
    assert len(run.work()) <= math.ceil(rows / 256) + 1


def test_a_small_list_is_shared_out_among_the_workers(run: Run) -> None:
    WorkList(run, configured(block_rows=1_000), MODELS, workers=2).write(iter(some_work(80, 7)))
    assert written(run)[1] == [10] * 8


def test_the_last_blocks_are_smaller(run: Run) -> None:
    WorkList(run, configured(block_rows=100), MODELS, workers=2).write(iter(some_work(1_000, 7)))
    ids, sizes = written(run)
    assert sizes == [100] * 8 + [25] * 8
    assert ids == [f"id-{i}" for i in range(1_000)]


def test_no_work_is_no_list(run: Run) -> None:
    assert WorkList(run, configured(), MODELS, workers=2).write(iter([WORK.empty_table()])) == 0
    assert run.work() == []


def test_each_round_has_a_list_of_its_own(run: Run) -> None:
    lists = WorkList(run, configured(), MODELS, workers=2)
    lists.write(iter(some_work(3, 3)))
    lists.write(iter(some_work(2, 2)), round_=2)
    assert (len(written(run)[0]), len(written(run, 2)[0]), written(run, 3)[0]) == (3, 2, [])


def ingested(lake: Lake, ids: str) -> None:
    known = {"caption_fingerprint": MODELS.caption_fingerprint, "embedding_fingerprint": MODELS.embedding_fingerprint}
    known |= {"uri": "/absent.jpg", "source_fingerprint": source_fingerprint("/absent.jpg"), "content_sha256": "0" * 64}
    run, _ = lake.begin()
    run.write_block("all", image_rows(*({"image_id": each, **known} for each in ids)), DEAD_LETTERS.empty_table())
    run.commit()


def planned(lake: Lake, ids: str, *others: dict[str, Any], **special: Any) -> Planned:
    rows = [{"image_id": each, "uri": "/absent.jpg", **special} for each in ids]
    scratch = Lake.at(str(lake.storage.root.parent / "scratch")).storage
    planner = Planner(configured(), MODELS, LakeView.everything(lake), scratch)
    return planner.plan([manifest_rows(*rows, *others)], ThisProcess(), SilentProgress())


def left(lake: Lake, run: Run) -> str:
    run.commit()
    ids = [image_id for table in LakeView.everything(lake).batches() for image_id in table["image_id"].to_pylist()]
    return "".join(sorted(ids))


def test_a_snapshot_takes_out_what_it_lacks(lake: Lake) -> None:
    ingested(lake, "abcd")
    run, _ = lake.begin()
    assert write_deletions(planned(lake, "bd"), configured(), run).deleted == 2
    assert left(lake, run) == "bd"


def test_a_list_that_is_added_to_takes_nothing_out(lake: Lake) -> None:
    ingested(lake, "abcd")
    run, _ = lake.begin()
    assert write_deletions(planned(lake, "e"), configured(mode="append"), run).deleted == 0
    assert left(lake, run) == "abcd"


def test_a_snapshot_that_lacks_nothing_writes_nothing(lake: Lake) -> None:
    ingested(lake, "ab")
    run, _ = lake.begin()
    assert write_deletions(planned(lake, "abc"), configured(most=0.0), run).deleted == 0
    assert run.deleted() == []


@pytest.mark.parametrize(("ids", "most", "allowed"), [("ab", 0.5, True), ("a", 0.5, False), ("", 1.0, True)])
def test_a_snapshot_that_lacks_too_much_is_refused(lake: Lake, ids: str, most: float, allowed: bool) -> None:
    ingested(lake, "abcd")
    run, _ = lake.begin()
    if allowed:
        assert write_deletions(planned(lake, ids), configured(most=most), run).deleted == 4 - len(ids)
        return
    with pytest.raises(ConfigError, match=r"3 of the lake's 4 images.*max_deleted_fraction"):
        write_deletions(planned(lake, ids), configured(most=most), run)
    assert not run.begun


def test_only_living_images_count_for_the_guard(lake: Lake) -> None:
    ingested(lake, "abcd")
    first, _ = lake.begin()
    write_deletions(planned(lake, "ab"), configured(), first)
    first.commit()
    run, _ = lake.begin()
    with pytest.raises(ConfigError, match="2 of the lake's 2 images"):
        write_deletions(planned(lake, ""), configured(), run)


@pytest.mark.parametrize(
    ("stage", "code", "withheld"),
    [
        ("manifest", "missing_uri", True),
        ("manifest", "wrong_type", False),
        ("manifest", "invalid_id", False),
        ("plan", "failed", False),
    ],
)
def test_a_row_that_cannot_be_read_may_be_the_one_that_is_missing(
    lake: Lake, stage: str, code: str, withheld: bool
) -> None:
    ingested(lake, "abcd")
    run, _ = lake.begin()
    unreadable = {"image_id": "x", **failure(stage, RowError(code, "It failed."))}
    missing = write_deletions(planned(lake, "abc", unreadable), configured(), run)
    assert missing.deleted == (0 if withheld else 1)
    assert left(lake, run) == ("abcd" if withheld else "abc")
    assert ["lacks 1 image of the lake" in warning for warning in missing.warnings()] == [True] * withheld


def test_what_would_be_deleted_is_known_without_deleting(lake: Lake) -> None:
    ingested(lake, "abcd")
    assert Missing.of(planned(lake, "abc"), configured()) == Missing(1)
    assert len(lake.runs()) == 1


def test_rows_that_planning_has_done_are_the_runs(lake: Lake) -> None:
    ingested(lake, "abc")
    plan = planned(lake, "abc", metadata='{"price": 2}')
    run, _ = lake.begin()
    assert write_done(plan, run) == 3
    assert run.rows() == 3
    run.commit()
    rows = [row for table in LakeView.everything(lake).batches() for row in table.to_pylist()]
    assert {(row["metadata"], row["run_id"]) for row in rows} == {('{"price": 2}', run.run_id)}


def test_the_plan_in_figures(lake: Lake) -> None:
    ingested(lake, "abc")
    figures = Plan.of(planned(lake, "abde", metadata='{"price": 2}').counts, deleted=1, rewritten=2)
    assert figures == Plan(
        manifest=4, new=2, changed=2, deleted=1, work=2, rewritten=2, reasons={"metadata": 2, "new": 2}
    )
    assert figures.to_dict()["reasons"] == {"metadata": 2, "new": 2}


def test_contents_are_read_as_they_were_written(run: Run) -> None:
    for keys in (np.array([], np.uint64), np.array([1, 2**63, 2**64 - 1], np.uint64)):
        write_contents(keys, run)
        assert read_contents(run).tolist() == keys.tolist()


def test_a_run_that_came_to_nothing_has_no_folder_and_one_that_did_has_no_scratch(run: Run) -> None:
    def broken() -> None:
        with scratch_of(run) as scratch:
            scratch.write("manifest/0.arrow", b"1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert not run.begun
    with scratch_of(run) as scratch:
        scratch.write("manifest/0.arrow", b"1")
        run.write_work(0, work_rows({}), 1)
    assert not scratch.root.exists()
    assert len(run.work()) == 1
