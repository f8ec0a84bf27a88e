"""After a compaction, and a vacuum, the next night finds everything as it was: nothing is fetched, nothing is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.files import FakeFetcher, png
from fakes.in_process import Job
from fakes.models import FakeCaptioner, FakeEmbedder
from fakes.nights import PART, STEPS, later
from tuku.config import Config, LimitsConfig, ManifestConfig, PlanConfig, RuntimeConfig
from tuku.errors import RowError
from tuku.housekeeping import compact, find_removals, remove
from tuku.lake import Lake
from tuku.lake_view import LakeView
from tuku.runtime import planning

CONFIG = Config(
    manifest=ManifestConfig(mode="snapshot"),
    plan=PlanConfig(compare="uri"),
    runtime=RuntimeConfig(block_rows=2),
    limits=LimitsConfig(max_deleted_fraction=1),
)
PICTURES = {f"http://h/{name}.png": png((number * 40, 0, 255), 4) for number, name in enumerate("abcde")}
FAILING = "http://h/c.png"
DOWN = {FAILING: RowError("http_503", "Not now.", retryable=True)}


@pytest.fixture(params=["small", "in buckets and groups"], autouse=True)
def _size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param != "small":
        monkeypatch.setattr(planning, "_SMALL_ROWS", 2)
        monkeypatch.setattr(planning, "_BUCKETS", 5)
        monkeypatch.setattr(planning, "_GROUP_ROWS", 2)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(str(tmp_path / "lake"))


def ingest(lake: Lake, names: str, *, down: dict[str, RowError] | None = None, price: int = 1) -> Job:
    """A night over pictures of these names; `aa` would be the same picture as `a` under another id."""
    folder = Path(lake.storage.uri).parent
    rows = [f"{name},http://h/{name[0]}.png,{price}" for name in names.split()]
    (folder / "pictures.csv").write_text("\n".join(["id,uri,price", *rows]) + "\n")
    run, _ = lake.begin()
    job = Job(lake, CONFIG, FakeFetcher({**PICTURES, **(down or {})}), FakeCaptioner(), FakeEmbedder())
    job.work(run, str(folder / "pictures.csv"))
    return job


def keep_house(lake: Lake) -> None:
    assert compact(lake, PART, STEPS) is not None
    remove(lake, find_removals(lake, later(8)), STEPS)


def prices(lake: Lake) -> dict[str, str]:
    found = [row for table in LakeView.everything(lake).batches(["image_id", "metadata"]) for row in table.to_pylist()]
    return {row["image_id"]: row["metadata"] for row in found}


def test_everything_is_unchanged(lake: Lake) -> None:
    ingest(lake, "a b c d")
    ingest(lake, "a b c d e")
    keep_house(lake)
    before = prices(lake)
    job = ingest(lake, "a b c d e")
    assert (job.plan.unchanged, job.plan.work, job.plan.rewritten, job.plan.deleted) == (5, 0, 0, 0)
    assert (job.fetcher.sent, job.captioner.seen) == ([], [])
    assert prices(lake) == before


def test_the_newest_row_wins_before_and_after(lake: Lake) -> None:
    ingest(lake, "a b c d")
    ingest(lake, "a b", price=2)  # c and d are deleted
    keep_house(lake)
    job = ingest(lake, "a b d", price=2)
    assert (job.plan.unchanged, job.plan.new) == (2, 1)
    job = ingest(lake, "a b d", price=3)
    assert job.plan.rewritten == 3
    keep_house(lake)
    job = ingest(lake, "a b d", price=3)
    assert (job.plan.unchanged, job.plan.work, job.plan.rewritten) == (3, 0, 0)
    assert prices(lake) == dict.fromkeys("abd", '{"price": 3}')


def test_a_twin_takes_over_what_was_compacted(lake: Lake) -> None:
    ingest(lake, "a b c")
    keep_house(lake)
    job = ingest(lake, "a b c b2")
    assert (job.plan.new, job.captioner.seen) == (1, [])
    assert "b2" in prices(lake)


def test_what_failed_is_tried_again(lake: Lake) -> None:
    ingest(lake, "a b c", down=DOWN)
    ingest(lake, "a b c d", down=DOWN)
    keep_house(lake)
    job = ingest(lake, "a b c d")
    assert (job.plan.unchanged, job.plan.new, job.stats.ok) == (3, 1, 1)
    assert job.fetcher.sent == [FAILING]
