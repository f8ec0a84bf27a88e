"""Plan: every manifest row is of exactly one class, and only what changed becomes work."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.tables import failure, image_rows, manifest_rows
from tuku.errors import RowError
from tuku.schemas import ROWS
from tuku.stages.fingerprints import source_fingerprint
from tuku.stages.plan import KNOWN_COLUMNS, Known, Planner


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"1234")
    return str(path)


def known_row(uri: str, **special: str) -> dict[str, str]:
    """What the lake holds of an image that was ingested from `uri` with caption model c and embedding model e."""
    usual = {"image_id": "a", "uri": uri, "metadata": '{"price": 1}', "source_fingerprint": source_fingerprint(uri)}
    return {**usual, "caption_fingerprint": "c", "embedding_fingerprint": "e", **special}


def planner(*lake: dict[str, str], caption: str = "c", embedding: str = "e") -> Planner:
    return Planner(Known.of([image_rows(*lake).select(KNOWN_COLUMNS)]), caption, embedding)


def manifest_row(uri: str, **special: object) -> dict[str, object]:
    return {"image_id": "a", "uri": uri, "metadata": '{"price": 1}', **special}


def test_a_row_that_the_lake_does_not_know_is_new(picture: str) -> None:
    plan = planner()
    planned = plan.plan(manifest_rows(manifest_row(picture)))
    assert plan.counts == {"new": 1}
    assert planned.schema.equals(ROWS)
    assert planned["source_fingerprint"].to_pylist() == [source_fingerprint(picture)]
    assert planned["code"].to_pylist() == [None]


def test_a_row_that_did_not_change_is_no_work(picture: str) -> None:
    plan = planner(known_row(picture))
    assert plan.plan(manifest_rows(manifest_row(picture))).num_rows == 0
    assert plan.counts == {"unchanged": 1}


def test_what_was_planned_and_ingested_is_unchanged_the_next_time(picture: str) -> None:
    [row] = planner().plan(manifest_rows(manifest_row(picture))).to_pylist()
    ingested = {name: row[name] for name in ("image_id", "uri", "metadata", "source_fingerprint")}
    again = planner({**ingested, "caption_fingerprint": "c", "embedding_fingerprint": "e"})
    assert again.plan(manifest_rows(manifest_row(picture))).num_rows == 0


@pytest.mark.parametrize("touch", [{"size": 5}, {"mtime_ns": 1}])
def test_a_file_of_another_size_or_time_is_changed(picture: str, touch: dict[str, int]) -> None:
    plan = planner(known_row(picture))
    status = Path(picture).stat()
    Path(picture).write_bytes(b"x" * touch.get("size", status.st_size))
    os.utime(picture, ns=(0, touch.get("mtime_ns", status.st_mtime_ns)))
    assert plan.plan(manifest_rows(manifest_row(picture)))["image_id"].to_pylist() == ["a"]
    assert plan.counts == {"changed": 1}


def test_a_file_that_is_gone_is_changed_so_that_it_fails_aloud(picture: str) -> None:
    plan = planner(known_row(picture))
    Path(picture).unlink()
    assert plan.plan(manifest_rows(manifest_row(picture))).num_rows == 1
    assert plan.counts == {"changed": 1}


def test_changed_metadata_is_changed(picture: str) -> None:
    plan = planner(known_row(picture))
    planned = plan.plan(manifest_rows(manifest_row(picture, metadata='{"price": 2}')))
    assert planned["metadata"].to_pylist() == ['{"price": 2}']
    assert plan.counts == {"changed": 1}


@pytest.mark.parametrize("models", [{"caption": "c2"}, {"embedding": "e2"}])
def test_another_model_is_changed(picture: str, models: dict[str, str]) -> None:
    plan = planner(known_row(picture), **models)
    assert plan.plan(manifest_rows(manifest_row(picture))).num_rows == 1
    assert plan.counts == {"changed": 1}


def test_an_image_at_another_uri_is_changed(picture: str, tmp_path: Path) -> None:
    plan = planner(known_row(picture))
    moved = str(Path(picture).rename(tmp_path / "b.jpg"))
    assert plan.plan(manifest_rows(manifest_row(moved)))["uri"].to_pylist() == [moved]
    assert plan.counts == {"changed": 1}


def test_the_same_image_twice_is_worked_once(picture: str) -> None:
    plan = planner()
    row = manifest_row(picture)
    assert plan.plan(manifest_rows(row, row)).num_rows == 1
    assert plan.plan(manifest_rows(row)).num_rows == 0
    assert plan.counts == {"new": 1, "duplicates": 2}


def test_an_id_that_names_two_images_fails_the_second(picture: str) -> None:
    plan = planner()
    planned = plan.plan(manifest_rows(manifest_row(picture), manifest_row("/other.jpg")))
    assert planned["stage"].to_pylist() == [None, "plan"]
    assert planned["code"].to_pylist() == [None, "duplicate_id"]
    assert picture in planned["message"].to_pylist()[1]
    assert planned["retryable"].to_pylist() == [None, False]
    assert plan.counts == {"new": 1, "failed": 1}


def test_a_duplicate_of_an_unchanged_image_is_a_duplicate(picture: str) -> None:
    plan = planner(known_row(picture))
    row = manifest_row(picture)
    assert plan.plan(manifest_rows(row, row)).num_rows == 0
    assert plan.counts == {"unchanged": 1, "duplicates": 1}


def test_a_row_that_failed_already_is_passed_on_as_it_is(picture: str) -> None:
    error = failure("manifest", RowError("missing_uri", "The row has no URI."))
    plan = planner(known_row(picture))
    planned = plan.plan(manifest_rows(manifest_row("", **error), manifest_row(picture)))
    assert planned.to_pylist() == manifest_rows(manifest_row("", **error)).to_pylist()
    assert plan.counts == {"failed": 1, "unchanged": 1}


manifests = st.lists(
    st.fixed_dictionaries(
        {
            "image_id": st.sampled_from("abc"),
            "uri": st.sampled_from(["s3://x/1.jpg", "s3://x/2.jpg"]),
            "metadata": st.sampled_from(["{}", '{"price": 1}']),
            "code": st.sampled_from([None, None, None, "invalid_row"]),
        }
    ),
    max_size=12,
)


@given(manifest=manifests, lake=st.sets(st.sampled_from("abc")), batch_rows=st.integers(min_value=1, max_value=5))
def test_every_manifest_row_is_of_one_class_whatever_the_batches(
    manifest: list[dict], lake: set[str], batch_rows: int
) -> None:
    known = [known_row("s3://x/1.jpg", image_id=image_id) for image_id in sorted(lake)]
    rows = manifest_rows(*manifest)
    plan, whole = planner(*known), planner(*known)
    parts = [plan.plan(rows.slice(start, batch_rows)) for start in range(0, len(rows), batch_rows)]
    planned = pa.concat_tables([ROWS.empty_table(), *parts])

    counts = plan.counts
    assert planned.equals(whole.plan(rows))
    assert counts == whole.counts
    assert len(manifest) == sum(counts[kind] for kind in ("new", "changed", "unchanged", "duplicates", "failed"))
    assert planned["code"].null_count == counts["new"] + counts["changed"]
    assert planned.num_rows == counts["new"] + counts["changed"] + counts["failed"]
    live = planned.filter(planned["code"].is_null())["image_id"].to_pylist()
    assert len(set(live)) == len(live)
