"""Plan: every manifest row is of exactly one class, and only what changed becomes work."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.tables import failure, known_rows, manifest_rows
from tuku.errors import RowError
from tuku.schemas import KNOWN, PLANNED
from tuku.stages.fingerprints import served_fingerprint, source_fingerprint
from tuku.stages.plan import Counts, Planned, Wanted, bucket_of, current, plan_bucket

WANTED = Wanted("c", "e")
SERVED = served_fingerprint('"1"', None)
URL = "http://x.test/a.jpg"
STORED = "s3://bucket/a.jpg"


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"1234")
    return str(path)


def known_row(uri: str, **special: Any) -> dict[str, Any]:
    """What the lake holds of an image that was ingested from `uri` with caption model c and embedding model e."""
    source = SERVED if "://" in uri else source_fingerprint(uri)
    usual = {
        "image_id": "a",
        "uri": uri,
        "metadata": '{"price": 1}',
        "content_sha256": "A",
        "source_fingerprint": source,
    }
    return {**usual, "caption_fingerprint": "c", "embedding_fingerprint": "e", **special}


def manifest_row(uri: str, **special: Any) -> dict[str, Any]:
    return {"image_id": "a", "uri": uri, "metadata": '{"price": 1}', **special}


def plan(manifest: list[dict[str, Any]], *lake: dict[str, Any], **wanted: Any) -> Planned:
    return plan_bucket(manifest_rows(*manifest), known_rows(*lake), Wanted(**{**vars(WANTED), **wanted}))


def summary(planned: Planned) -> tuple[dict[str, int], dict[str, int], list[str]]:
    """Classes, reasons, and how each row is to be done."""
    return dict(planned.counts.classes), dict(planned.counts.reasons), planned.rows.column("how").to_pylist()


def test_a_row_that_the_lake_does_not_know_is_new(picture: str) -> None:
    planned = plan([manifest_row(picture)])
    assert summary(planned) == ({"new": 1}, {"new": 1}, ["work"])
    assert planned.rows.schema.equals(PLANNED)
    [row] = planned.rows.to_pylist()
    assert row["source_fingerprint"] == source_fingerprint(picture)
    assert row["code"] is row["known_source"] is row["place"] is None


def test_a_row_that_did_not_change_is_no_work(picture: str) -> None:
    planned = plan([manifest_row(picture)], known_row(picture))
    assert summary(planned) == ({"unchanged": 1}, {}, [])
    assert planned.counts.work == 0


@pytest.mark.parametrize("touch", [{"size": 5}, {"mtime_ns": 1}, {"gone": 1}])
def test_a_file_of_another_size_or_time_is_changed_and_one_that_is_gone_fails_aloud(
    picture: str, touch: dict[str, int]
) -> None:
    known = known_row(picture)
    status = Path(picture).stat()
    Path(picture).write_bytes(b"x" * touch.get("size", status.st_size))
    os.utime(picture, ns=(0, touch.get("mtime_ns", status.st_mtime_ns)))
    if "gone" in touch:
        Path(picture).unlink()
    planned = plan([manifest_row(picture)], known)
    assert summary(planned) == ({"changed": 1}, {"source": 1}, ["work"])
    [row] = planned.rows.to_pylist()
    assert (row["known_source"], row["place"]) == (known["source_fingerprint"], 0)
    assert row["source_fingerprint"] != known["source_fingerprint"]


@pytest.mark.parametrize(
    ("special", "reason"),
    [
        ({"uri": "/elsewhere.jpg"}, "moved"),
        ({"caption_fingerprint": "c2"}, "caption"),
        ({"embedding_fingerprint": "e2"}, "embedding"),
        ({"caption_fingerprint": "c2", "embedding_fingerprint": "e2", "metadata": "{}"}, "caption"),
        ({"embedding_fingerprint": None}, "embedding"),
    ],
)
def test_what_was_made_otherwise_is_made_again(picture: str, special: dict[str, Any], reason: str) -> None:
    planned = plan([manifest_row(picture)], known_row(picture) | special)
    assert summary(planned) == ({"changed": 1}, {reason: 1}, ["work"])


def test_changed_metadata_of_a_file_that_did_not_change_needs_no_model(picture: str) -> None:
    planned = plan([manifest_row(picture, metadata='{"price": 2}')], known_row(picture))
    assert summary(planned) == ({"changed": 1}, {"metadata": 1}, ["rewrite"])
    assert (planned.counts.rewrites, planned.counts.work) == (1, 0)
    assert planned.rows.column("metadata").to_pylist() == ['{"price": 2}']


def test_of_a_served_file_only_the_server_can_tell() -> None:
    planned = plan([manifest_row(URL)], known_row(URL))
    assert summary(planned) == ({"unchanged": 1}, {"recheck": 1}, ["recheck"])
    assert planned.counts.work == planned.counts.manifest == 1
    [row] = planned.rows.to_pylist()
    assert (row["known_source"], row["source_fingerprint"]) == (SERVED, None)
    changed = plan([manifest_row(URL, metadata="{}")], known_row(URL))
    assert summary(changed) == ({"changed": 1}, {"metadata": 1}, ["revise"])


@pytest.mark.parametrize("compare", ["source", "uri"])
def test_an_object_that_a_store_has_listed_is_not_asked_for_again(compare: str) -> None:
    listed = manifest_row(STORED, source_fingerprint=SERVED)
    assert summary(plan([listed], known_row(STORED), compare=compare)) == ({"unchanged": 1}, {}, [])
    revised = plan([{**listed, "metadata": "{}"}], known_row(STORED), compare=compare)
    assert summary(revised) == ({"changed": 1}, {"metadata": 1}, ["rewrite"])


def test_an_object_that_is_listed_as_another_is_work() -> None:
    listed = manifest_row(STORED, source_fingerprint=served_fingerprint('"2"', None))
    assert summary(plan([listed], known_row(STORED))) == ({"changed": 1}, {"source": 1}, ["work"])
    assert summary(plan([manifest_row(STORED)], known_row(STORED)))[1] == {"recheck": 1}
    looked_at = plan([listed], known_row(STORED), compare="content")
    assert summary(looked_at) == ({"unchanged": 1}, {"recheck": 1}, ["recheck"])


def test_compared_by_content_every_file_is_looked_at(picture: str) -> None:
    known = known_row(picture)
    Path(picture).write_bytes(b"12345")
    looked_at = {"unchanged": 1}, {"recheck": 1}, ["recheck"]
    assert summary(plan([manifest_row(picture)], known, compare="content")) == looked_at
    assert summary(plan([manifest_row(URL)], known_row(URL), compare="content")) == looked_at
    assert summary(plan([manifest_row(picture, metadata="{}")], known, compare="content"))[2] == ["revise"]


@pytest.mark.parametrize("served", [True, False])
def test_compared_by_uri_no_file_is_looked_at(picture: str, served: bool) -> None:
    uri = URL if served else picture
    known = known_row(uri)
    Path(picture).write_bytes(b"12345")
    assert summary(plan([manifest_row(uri)], known, compare="uri")) == ({"unchanged": 1}, {}, [])
    rewritten = plan([manifest_row(uri, metadata="{}")], known, compare="uri")
    assert summary(rewritten) == ({"changed": 1}, {"metadata": 1}, ["rewrite"])
    assert summary(plan([manifest_row(uri)], known, compare="uri", embedding_fingerprint="e2"))[2] == ["work"]


def test_who_wants_the_last_word_writes_again_what_is_fine(picture: str) -> None:
    local = plan([manifest_row(picture)], known_row(picture), restate=True)
    assert summary(local) == ({"changed": 1}, {"restated": 1}, ["rewrite"])
    assert summary(plan([manifest_row(URL)], known_row(URL), restate=True))[2] == ["revise"]


def test_what_was_planned_and_ingested_is_unchanged_the_next_time(picture: str) -> None:
    [row] = plan([manifest_row(picture)]).rows.to_pylist()
    ingested = {name: row[name] for name in ("image_id", "uri", "metadata", "source_fingerprint")}
    again = {**ingested, "caption_fingerprint": "c", "embedding_fingerprint": "e"}
    assert plan([manifest_row(picture)], again).rows.num_rows == 0


def test_the_same_image_twice_is_worked_once(picture: str) -> None:
    row = manifest_row(picture)
    assert summary(plan([row, row, row])) == ({"new": 1, "duplicates": 2}, {"new": 1}, ["work"])
    assert summary(plan([row, row], known_row(picture))) == ({"unchanged": 1, "duplicates": 1}, {}, [])


def test_an_id_that_names_two_images_fails_the_second(picture: str) -> None:
    planned = plan([manifest_row(picture), manifest_row("/other.jpg")])
    assert planned.counts.classes == {"new": 1, "failed": 1}
    first, second = planned.rows.to_pylist()
    assert (first["stage"], first["code"]) == (None, None)
    assert (second["stage"], second["code"], second["retryable"]) == ("plan", "duplicate_id", False)
    assert picture in second["message"]


def test_a_row_that_failed_already_is_passed_on_as_it_is(picture: str) -> None:
    failed = manifest_row("", **failure("manifest", RowError("missing_uri", "The row has no URI.")))
    planned = plan([failed, manifest_row(picture)], known_row(picture))
    assert planned.counts.classes == {"failed": 1, "unchanged": 1}
    assert planned.counts.work == 1
    [row] = planned.rows.to_pylist()
    assert {name: row[name] for name in failed} == failed
    assert row["source_fingerprint"] is None


def test_images_that_the_manifest_does_not_name_are_missing_and_failed_rows_name_theirs(picture: str) -> None:
    failed = {"image_id": "b", **failure("manifest", RowError("bad_uri", "No URI."))}
    lake = [known_row(picture, image_id=image_id) for image_id in "abcd"]
    planned = plan([manifest_row(picture), failed], *lake)
    assert planned.missing.to_pylist() == ["c", "d"]


def test_no_rows_and_no_lake() -> None:
    nothing = plan([])
    assert (nothing.rows.num_rows, nothing.counts.manifest, len(nothing.missing)) == (0, 0, 0)
    assert plan([], known_row(URL)).missing.to_pylist() == ["a"]


def test_counts_of_buckets_add_up(picture: str) -> None:
    total = Counts()
    for bucket in (plan([manifest_row(picture)]), plan([manifest_row(picture, metadata="{}")], known_row(picture))):
        total.add(bucket.counts)
    assert (total.manifest, total.work, total.rewrites) == (2, 1, 1)
    assert total.reasons == {"new": 1, "metadata": 1}


def test_the_newest_state_of_an_image_counts_and_one_that_was_taken_out_has_none() -> None:
    states = known_rows(
        {"image_id": "a", "uri": "/1", "place": 10},
        {"image_id": "b", "uri": "/1", "place": 11},
        {"image_id": "c", "uri": "/1", "place": 12},
        {"image_id": "b", "place": 20, "deleted": True},
        {"image_id": "c", "place": 21, "deleted": True},
        {"image_id": "c", "uri": "/3", "place": 30},
        {"image_id": "a", "uri": "/2", "place": 31},
    )
    for order in (states, states.take(list(reversed(range(7))))):
        found = current(order, WANTED)
        assert found.schema.equals(KNOWN)
        assert sorted(zip(*(found.column(name).to_pylist() for name in ("image_id", "uri")), strict=True)) == [
            ("a", "/2"),
            ("c", "/3"),
        ]


def test_what_is_fine_is_taken_as_it_is_when_nothing_was_superseded() -> None:
    states = known_rows({"image_id": "a", "place": 7}, {"image_id": "b", "place": 8, "deleted": True})
    assert current(states, WANTED).to_pylist() == states.slice(0, 1).to_pylist()


@pytest.mark.parametrize(
    ("older", "newest", "place"),
    [
        (("A", "c", "e"), ("A", "c2", "e"), 0),  # the captioner was changed, and back
        (("A", "c", "e"), ("A", "c2", "e2"), 0),
        (("A", "c", "e2"), ("A", "c2", "e"), 0),  # a caption is worth more than vectors
        (("A", "c2", "e"), ("A", "c2", "e2"), 0),
        (("A", "c", "e"), ("A", "c", "e"), 1),
        (("A", "c2", "e"), ("A", "c2", "e"), 1),
        (("B", "c", "e"), ("A", "c2", "e"), 1),  # of another picture
        ((None, "c", "e"), ("A", None, None), 1),
    ],
)
def test_answers_come_from_where_most_are_of_use(older: tuple[str, ...], newest: tuple[str, ...], place: int) -> None:
    names = ("content_sha256", "caption_fingerprint", "embedding_fingerprint")
    rows = [dict(zip(names, values, strict=True)) | {"image_id": "a"} for values in (older, newest)]
    [found] = current(known_rows(*rows), WANTED).to_pylist()
    assert found["place"] == place
    assert {name: found[name] for name in names} == {name: rows[1][name] for name in names}


def test_buckets_are_the_same_on_every_machine_and_about_as_full() -> None:
    ids = [f"图-{i}" for i in range(4_000)]
    assert bucket_of(["a", "b", "图"], 128).tolist() == [67, 121, 3]
    assert bucket_of(ids, 1).tolist() == [0] * 4_000
    full = Counter(bucket_of(ids, 8).tolist())
    assert set(full) == set(range(8))
    assert max(full.values()) < 1.3 * min(full.values())


manifests = st.lists(
    st.fixed_dictionaries(
        {
            "image_id": st.sampled_from("abc"),
            "uri": st.sampled_from(["http://x/1.jpg", "/absent/1.jpg"]),
            "metadata": st.sampled_from(["{}", '{"price": 1}']),
            "code": st.sampled_from([None, None, None, "invalid_row"]),
        }
    ),
    max_size=12,
)


@given(
    manifest=manifests,
    lake=st.sets(st.tuples(st.sampled_from("abc"), st.sampled_from(["http://x/1.jpg", "/absent/1.jpg"]))),
    compare=st.sampled_from(["source", "content", "uri"]),
    buckets=st.integers(min_value=1, max_value=4),
)
def test_every_manifest_row_is_of_one_class_whatever_the_buckets(
    manifest: list[dict], lake: set[tuple[str, str]], compare: Any, buckets: int
) -> None:
    known = current(known_rows(*(known_row(uri, image_id=image_id) for image_id, uri in sorted(lake))), WANTED)
    rows, wanted = manifest_rows(*manifest), Wanted("c", "e", compare)
    whole, counts, planned, missing = plan_bucket(rows, known, wanted), Counts(), [], []
    for bucket in range(buckets):
        of_rows, of_known = (
            table.filter(pa.array(bucket_of(table.column("image_id").to_pylist(), buckets) == np.uint32(bucket)))
            for table in (rows, known)
        )
        part = plan_bucket(of_rows, of_known, wanted)
        counts.add(part.counts)
        planned.append(part.rows)
        missing += part.missing.to_pylist()

    together = pa.concat_tables(planned).sort_by("row_number")
    assert together.to_pylist() == whole.rows.to_pylist()
    assert counts == whole.counts
    assert sorted(missing) == sorted(whole.missing.to_pylist())
    assert counts.manifest == len(manifest)
    classes, hows = counts.classes, Counter(together.column("how").to_pylist())
    assert counts.work == together.num_rows - hows["rewrite"]
    assert together.num_rows == classes["new"] + classes["changed"] + classes["failed"] + hows["recheck"]
    live = together.filter(together["code"].is_null())["image_id"].to_pylist()
    assert len(set(live)) == len(live)
