"""Planning a run: the work list holds what needs work, in blocks, and the counts add up."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fakes.models import FakeCaptioner, FakeEmbedder
from fakes.tables import image_rows
from tuku.config import Config, RuntimeConfig
from tuku.errors import ManifestError
from tuku.lake import Lake, Run
from tuku.lake_view import LakeView
from tuku.pipeline import Models
from tuku.progress import SilentProgress
from tuku.runtime.planning import Plan, write_plan
from tuku.schemas import DEAD_LETTERS, ROWS


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(str(tmp_path / "lake"))


def configured(block_rows: int = 4, slice_rows: int = 2) -> Config:
    return Config(runtime=RuntimeConfig(workers=2, block_rows=block_rows, slice_rows=slice_rows))


def models_of(config: Config) -> Models:
    return Models.of(config, FakeCaptioner().description, FakeEmbedder().description)


def manifest_of(folder: Path, lines: list[str]) -> str:
    path = folder / "pictures.csv"
    path.write_text("\n".join(["id,uri,price", *lines]) + "\n")
    return str(path)


def plan(lake: Lake, manifest: str, config: Config | None = None) -> tuple[Plan, Run]:
    config = config or configured()
    run, _ = lake.begin()
    found = write_plan(config, manifest, models_of(config), LakeView.everything(lake), run, SilentProgress())
    return found, run


def work_of(run: Run) -> pa.Table:
    files = [pq.read_table(run.storage.path(name)) for name in run.work()]
    return pa.concat_tables([ROWS.empty_table(), *files])


def ingested(lake: Lake, run: Run) -> None:
    """Pretend that a run's work has been done."""
    models = models_of(configured())
    known = {"caption_fingerprint": models.caption_fingerprint, "embedding_fingerprint": models.embedding_fingerprint}
    names = ("image_id", "uri", "metadata", "source_fingerprint")
    rows = [{name: row[name] for name in names} | known for row in work_of(run).to_pylist() if row["code"] is None]
    run.write_block("all", image_rows(*rows), DEAD_LETTERS.empty_table())
    run.commit()


def test_a_new_catalogue_is_all_work(lake: Lake, tmp_path: Path) -> None:
    found, run = plan(lake, manifest_of(tmp_path, [f"id-{i},{i}.jpg,{i}" for i in range(9)]))
    assert found == Plan(manifest=9, new=9, work=9)
    work = work_of(run)
    assert work.schema.equals(ROWS)
    assert work["image_id"].to_pylist() == [f"id-{i}" for i in range(9)]
    assert work["source_fingerprint"].null_count == 0


def test_a_catalogue_that_did_not_change_is_no_work_and_writes_none(lake: Lake, tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, ["a,a.jpg,1", "b,b.jpg,2"])
    _, first = plan(lake, manifest)
    ingested(lake, first)
    found, run = plan(lake, manifest)
    assert found == Plan(manifest=2, unchanged=2)
    assert run.work() == []


def test_every_row_is_counted_once(lake: Lake, tmp_path: Path) -> None:
    _, first = plan(lake, manifest_of(tmp_path, ["a,a.jpg,1", "b,b.jpg,2"]))
    ingested(lake, first)
    lines = ["a,a.jpg,1", "b,b.jpg,3", "c,c.jpg,3", "c,c.jpg,3", "c,other.jpg,3", ",no-id.jpg,3"]
    found, run = plan(lake, manifest_of(tmp_path, lines))
    assert found == Plan(manifest=6, new=1, changed=1, unchanged=1, duplicates=1, work=4)
    codes = dict(zip(work_of(run)["row_number"].to_pylist(), work_of(run)["code"].to_pylist(), strict=True))
    assert codes == {2: None, 3: None, 5: "duplicate_id", 6: "missing_id"}
    failed = found.work - found.new - found.changed
    assert found.manifest == found.new + found.changed + found.unchanged + found.duplicates + failed


@pytest.mark.parametrize("rows", [1, 4, 255, 256, 257, 700])
def test_the_work_list_comes_in_blocks_of_the_size_that_is_configured(lake: Lake, tmp_path: Path, rows: int) -> None:
    found, run = plan(lake, manifest_of(tmp_path, [f"id-{i},{i}.jpg,{i}" for i in range(rows)]))
    assert found.work == rows
    assert work_of(run)["image_id"].to_pylist() == [f"id-{i}" for i in range(rows)]
    for name in run.work():
        metadata = pq.read_metadata(run.storage.path(name))
        sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        assert max(sizes) <= 4
        assert min(sizes) > 0


def test_a_small_catalogue_is_shared_out_among_the_workers(lake: Lake, tmp_path: Path) -> None:
    config = configured(block_rows=1_000, slice_rows=2)
    _, run = plan(lake, manifest_of(tmp_path, [f"id-{i},{i}.jpg,{i}" for i in range(80)]), config)
    [name] = run.work()
    assert pq.read_metadata(run.storage.path(name)).num_row_groups == 8


def test_a_manifest_that_is_not_there_begins_nothing(lake: Lake, tmp_path: Path) -> None:
    run, _ = lake.begin()
    config = configured()
    view = LakeView.everything(lake)
    with pytest.raises(ManifestError):
        write_plan(config, str(tmp_path / "absent.csv"), models_of(config), view, run, SilentProgress())
    assert not run.begun
