"""Planning: manifest and lake are joined, and a row that needs work takes along what the lake has of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fakes.in_process import ThisProcess
from fakes.models import FakeCaptioner, FakeEmbedder
from fakes.tables import failure, image_rows, manifest_rows
from tuku.config import Config, PlanConfig
from tuku.errors import ManifestError, RowError
from tuku.lake import Lake
from tuku.lake_view import LakeView
from tuku.pipeline import Models
from tuku.progress import SilentProgress
from tuku.runtime import planning
from tuku.runtime.planning import Planned, Planner
from tuku.schemas import DEAD_LETTERS, IMAGES, WORK
from tuku.stages.fingerprints import served_fingerprint, source_fingerprint
from tuku.stages.twins import CAPTION, VECTORS
from tuku.storage import DiskStorage

MODELS = Models.of(Config(), FakeCaptioner().description, FakeEmbedder().description)
URL = "http://x.test/{}.jpg"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(str(tmp_path / "lake"))


@pytest.fixture(params=["one bucket", "many buckets and groups"])
def _size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param != "one bucket":
        monkeypatch.setattr(planning, "_SMALL_ROWS", 2)
        monkeypatch.setattr(planning, "_BUCKETS", 5)
        monkeypatch.setattr(planning, "_GROUP_ROWS", 2)


def digest(number: int) -> str:
    return f"{4 * number:016x}" + "0" * 48


def key(number: int, answers: int = CAPTION | VECTORS) -> int:
    return 4 * number | answers


def manifest(*numbers: int, **special: Any) -> list[dict[str, Any]]:
    """Rows with metadata {}, at URIs that follow from their ids."""
    return [{"image_id": f"id-{i}", "uri": f"/absent/{i}.jpg", "row_number": i, **special} for i in numbers]


def ingested(lake: Lake, *numbers: int, **special: Any) -> None:
    """A committed run that has these images, made of files that are as they were by the models of this module."""
    usual = {"caption_fingerprint": MODELS.caption_fingerprint, "embedding_fingerprint": MODELS.embedding_fingerprint}
    rows = [
        {
            "image_id": f"id-{i}",
            "uri": (uri := f"/absent/{i}.jpg"),
            "content_sha256": digest(i),
            "source_fingerprint": source_fingerprint(uri),
            "caption": f"Caption {i}",
            "image_embedding": [float(i), 0.0],
            **usual,
            **special,
        }
        for i in numbers
    ]
    run, _ = lake.begin()
    for start in range(0, len(rows), 2):
        run.write_block(f"{start:03d}", image_rows(*rows[start : start + 2]), DEAD_LETTERS.empty_table())
    run.commit()


def plan(lake: Lake, rows: list[dict[str, Any]], compare: Any = "source", models: Models = MODELS) -> Planned:
    config = Config(plan=PlanConfig(compare=compare))
    scratch = DiskStorage(lake.storage.root.parent / f"scratch-{len(list(lake.storage.root.parent.iterdir()))}")
    planner = Planner(config, models, LakeView.everything(lake), scratch)
    tables = [manifest_rows(*rows[start : start + 2]) for start in range(0, len(rows), 2)]
    return planner.plan(tables, ThisProcess(), SilentProgress())


def collected(tables: Iterable[pa.Table], schema: pa.Schema) -> list[dict[str, Any]]:
    table = pa.concat_tables([schema.empty_table(), *tables])
    assert table.schema.equals(schema)
    return table.to_pylist()


def work(planned: Planned) -> dict[str, dict[str, Any]]:
    rows = collected(planned.work(), WORK)
    by_id = {row["image_id"]: row for row in rows}
    assert len(by_id) == len(rows)
    return by_id


def missing(planned: Planned) -> list[str]:
    return sorted(image_id for table in planned.missing() for image_id in table["image_id"].to_pylist())


@pytest.mark.usefixtures("_size")
def test_a_new_catalogue_is_all_work(lake: Lake) -> None:
    planned = plan(lake, manifest(*range(9)))
    assert planned.counts.classes == {"new": 9}
    found = work(planned)
    assert set(found) == {f"id-{i}" for i in range(9)}
    assert all(row["known"] is None and row["known_source"] is None and not row["recheck"] for row in found.values())
    assert all(row["source_fingerprint"] == "missing" for row in found.values())
    assert (missing(planned), planned.contents.tolist()) == ([], [])


@pytest.mark.usefixtures("_size")
def test_a_catalogue_that_did_not_change_is_no_work(lake: Lake) -> None:
    ingested(lake, *range(5))
    ingested(lake, *range(5, 9))
    planned = plan(lake, manifest(*range(9)))
    assert planned.counts.classes == {"unchanged": 9}
    assert work(planned) == {}
    assert list(planned.rewrites()) == []
    assert planned.contents.tolist() == [key(i) for i in range(9)]


def test_metadata_that_the_collection_could_not_hold_fails_its_row_before_any_work(lake: Lake, tmp_path: Path) -> None:
    config = Config.model_validate({"milvus": {"indexed_metadata": {"price": "double"}}})
    rows = [*manifest(1, metadata='{"price": "2.5"}'), *manifest(2, metadata='{"price": "n/a"}')]
    planner = Planner(config, MODELS, LakeView.everything(lake), DiskStorage(tmp_path / "scratch"))
    planned = planner.plan([manifest_rows(*rows)], ThisProcess(), SilentProgress())
    assert planned.counts.classes == {"new": 1, "failed": 1}
    assert {name: row["code"] for name, row in work(planned).items()} == {"id-1": None, "id-2": "wrong_type"}


@pytest.mark.usefixtures("_size")
def test_every_row_is_counted_once_and_comes_once(lake: Lake) -> None:
    ingested(lake, *range(5))
    ingested(lake, 3, 5, 7)
    unreadable = {"image_id": "x", **failure("manifest", RowError("missing_uri", "No URI."))}
    rows = [
        *manifest(0, 1, 2),
        *manifest(3, metadata='{"price": 2}'),
        *manifest(4, uri="/absent/other.jpg"),
        *manifest(9, 9),
        unreadable,
    ]
    planned = plan(lake, rows)
    assert planned.counts.classes == {"unchanged": 3, "changed": 2, "new": 1, "duplicates": 1, "failed": 1}
    assert planned.counts.manifest == len(rows)
    assert work(planned).keys() == {"id-4", "id-9", "x"}
    assert planned.counts.work == 3
    assert work(planned)["x"]["code"] == "missing_uri"
    assert missing(planned) == ["id-5", "id-7"]
    assert planned.counts.images == 7


@pytest.mark.usefixtures("_size")
def test_a_row_whose_metadata_alone_changed_is_done_by_planning(lake: Lake) -> None:
    ingested(lake, *range(6))
    planned = plan(lake, manifest(*range(6), metadata='{"price": 2}'))
    assert work(planned) == {}
    rows = collected(planned.rewrites(), IMAGES)
    assert sorted(row["image_id"] for row in rows) == [f"id-{i}" for i in range(6)]
    before = {row["image_id"]: row for table in LakeView.everything(lake).batches() for row in table.to_pylist()}
    for row in rows:
        assert row == before[row["image_id"]] | {"metadata": '{"price": 2}'}


@pytest.mark.parametrize("uri", [URL, "/absent/{}.jpg"])
def test_who_compares_by_uri_says_nothing_new_of_the_file(lake: Lake, uri: str) -> None:
    """Else a later run that does compare would believe that this one has seen the file."""
    ingested(lake, 1, uri=uri.format(1), source_fingerprint="as it was")
    planned = plan(lake, manifest(1, uri=uri.format(1), metadata='{"price": 2}'), compare="uri")
    [row] = collected(planned.rewrites(), IMAGES)
    assert row["source_fingerprint"] == "as it was"
    assert work(planned) == {}


@pytest.mark.usefixtures("_size")
@pytest.mark.parametrize("captions_hold", [True, False])
@pytest.mark.parametrize("vectors_hold", [True, False])
def test_a_row_takes_along_what_the_configured_models_would_say_again(
    lake: Lake, captions_hold: bool, vectors_hold: bool
) -> None:
    special = {} if captions_hold else {"caption_fingerprint": "another"}
    special |= {} if vectors_hold else {"embedding_fingerprint": "another"}
    ingested(lake, *range(4), source_fingerprint="as it was", **special)
    found = work(plan(lake, manifest(*range(4))))
    for i in range(4):
        row = found[f"id-{i}"]
        known = row["known"]
        assert (row["known_source"], known["content_sha256"]) == ("as it was", digest(i))
        assert known["caption"] == (f"Caption {i}" if captions_hold else None)
        assert known["keywords"] == (["picture"] if captions_hold else None)
        assert known["image_embedding"] == ([float(i), 0.0] if vectors_hold else None)
        assert known["text_embedding"] == ([0.0, 1.0] if vectors_hold else None)


@pytest.mark.usefixtures("_size")
def test_of_a_row_to_be_rechecked_only_the_content_is_taken_along(lake: Lake) -> None:
    source = served_fingerprint('"1"', None)
    ingested(lake, 1, 2, 3, uri=URL, source_fingerprint=source)
    planned = plan(lake, manifest(1, 2, 3, uri=URL))
    assert planned.counts.reasons == {"recheck": 3}
    for i in (1, 2, 3):
        row = work(planned)[f"id-{i}"]
        assert (row["recheck"], row["known_source"], row["source_fingerprint"]) == (True, source, None)
        known = row["known"]
        assert known["content_sha256"] == digest(i)
        assert known["caption"] is known["image_embedding"] is known["text_embedding"] is None


@pytest.mark.usefixtures("_size")
def test_a_model_that_was_changed_back_finds_what_it_had_said(lake: Lake) -> None:
    ingested(lake, *range(4))
    ingested(lake, *range(4), caption_fingerprint="another", caption="Otherwise")
    planned = plan(lake, manifest(*range(4)))
    assert planned.counts.reasons == {"caption": 4}
    assert [work(planned)[f"id-{i}"]["known"]["caption"] for i in range(4)] == [f"Caption {i}" for i in range(4)]


def test_contents_are_those_that_the_configured_models_have_answered_for(lake: Lake) -> None:
    ingested(lake, 1, caption_fingerprint="another")
    ingested(lake, 2, embedding_fingerprint="another")
    ingested(lake, 3, caption_fingerprint="another", embedding_fingerprint="another")
    ingested(lake, 4)
    ingested(lake, 4, content_sha256=digest(5))  # that its picture is another one now makes the older no less known
    run, _ = lake.begin()
    run.write_deleted("all", ["id-1"])
    run.commit()
    planned = plan(lake, manifest(9))
    assert planned.contents.dtype == np.uint64
    assert planned.contents.tolist() == [key(1, VECTORS), key(2, CAPTION), key(4), key(5)]


@pytest.mark.usefixtures("_size")
def test_an_image_that_was_taken_out_is_new_when_it_comes_back(lake: Lake) -> None:
    ingested(lake, 1, 2, 3)
    run, _ = lake.begin()
    run.write_deleted("all", ["id-2"])
    run.commit()
    planned = plan(lake, manifest(1, 2))
    assert planned.counts.classes == {"unchanged": 1, "new": 1}
    assert planned.counts.images == 2
    assert work(planned)["id-2"]["known"] is None
    assert missing(planned) == ["id-3"]


@dataclass
class Noting(ThisProcess):
    """Notes what is given out as tasks, those of each step together."""

    given: list[list[Any]] = field(default_factory=list)

    def map(self, function: Any, items: Any) -> Any:
        self.given.append(list(items))
        return super().map(function, items)


@pytest.mark.parametrize(("small", "groups"), [(2, [[2, 2], [2], [9], [2, 1]]), (100, [[2, 2, 2, 9, 2, 1]])])
def test_a_task_gets_so_many_rows_of_the_lake_however_many_files_they_are_in(
    lake: Lake, small: int, groups: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "_SMALL_ROWS", small)
    monkeypatch.setattr(planning, "_GROUP_ROWS", 4)
    ingested(lake, *range(6))
    run, _ = lake.begin()
    run.write_block("all", image_rows(*({} for _ in range(9))), DEAD_LETTERS.empty_table())
    run.commit()
    ingested(lake, 6, 7)
    run, _ = lake.begin()
    run.write_deleted("all", ["id-7"])
    run.commit()
    cluster = Noting()
    planner = Planner(Config(), MODELS, LakeView.everything(lake), DiskStorage(lake.storage.root.parent / "scratch"))
    planner.plan([manifest_rows({})], cluster, SilentProgress())
    rows = [
        [sum(len(table) for _, table in file.tables(["image_id"])) for file in files] for _, files in cluster.given[0]
    ]
    assert rows == groups


@dataclass
class Phases(SilentProgress):
    told: list[tuple[str, str]] = field(default_factory=list)

    def phase(self, name: str, detail: str = "") -> None:
        self.told.append((name, detail))


def test_a_manifest_that_breaks_off_is_no_plan(lake: Lake, tmp_path: Path) -> None:
    def broken() -> Iterator[pa.Table]:
        yield manifest_rows({})
        raise ManifestError("It is cut off.")

    planner = Planner(Config(), MODELS, LakeView.everything(lake), DiskStorage(tmp_path / "scratch"))
    progress = Phases()
    with pytest.raises(ManifestError, match="cut off"):
        planner.plan(broken(), ThisProcess(), progress)
    assert progress.told == [("plan", "1 rows read")]


def test_an_empty_manifest(lake: Lake) -> None:
    planned = plan(lake, [])
    assert (planned.counts.manifest, planned.counts.work, work(planned)) == (0, 0, {})
    ingested(lake, 1)
    assert missing(plan(lake, [])) == ["id-1"]
