"""After a round, rows that were set aside take over what became of the row with the same content."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fakes.models import FakeCaptioner, FakeEmbedder
from fakes.tables import dead_letter_rows, image_rows
from tuku.config import Config
from tuku.lake import Lake, Run, read_rows
from tuku.lake_view import LakeView
from tuku.pipeline import Models
from tuku.runtime.twins import Settled, TwinSettler
from tuku.schemas import DEAD_LETTERS, IMAGES, TWINS, WORK

MODELS = Models.of(Config(), FakeCaptioner().description, FakeEmbedder().description)
WHOLE = {"caption_fingerprint": MODELS.caption_fingerprint, "embedding_fingerprint": MODELS.embedding_fingerprint}
REFUSED = {"stage": "caption", "code": "content_refused", "message": "No.", "retryable": False, "request_id": "r-9"}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(str(tmp_path / "lake"))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def image(image_id: str, content: str, **special: Any) -> dict[str, Any]:
    return {
        "image_id": image_id,
        "content_sha256": digest(content),
        "caption": f"Caption of {content}",
        **WHOLE,
        **special,
    }


def write(run: Run, name: str, images: list[dict[str, Any]], letters: list[dict[str, Any]] | None = None) -> None:
    run.write_block(name, image_rows(*images), dead_letter_rows(*(letters or [])))


def committed(lake: Lake, *images: dict[str, Any]) -> None:
    run, _ = lake.begin()
    write(run, "block", list(images))
    run.commit()


def twin(image_id: str, content: str) -> dict[str, Any]:
    own = {"uri": f"/{image_id}.png", "metadata": f'{{"of": "{image_id}"}}', "source_fingerprint": f"source {image_id}"}
    manifest = {"manifest_uri": "/m.csv", "row_number": 7, "manifest_row": f'{{"id": "{image_id}"}}'}
    ended = {"stage": "twins", "code": "same_content", "message": "Another.", "retryable": False, "attempts": 1}
    return {"image_id": image_id, "content_sha256": digest(content), **own, **manifest, **ended}


def settle(lake: Lake, run: Run, *twins: dict[str, Any], round_: int = 1) -> Settled | None:
    """Set rows aside in blocks of two and settle them."""
    before = LakeView.everything(lake)
    for start in range(0, len(twins), 2):
        run.write_twins(f"{start:03d}", pa.Table.from_pylist(twins[start : start + 2], TWINS), round_)
    return TwinSettler(run, before, MODELS).settle(round_)


def read(run: Run, names: list[str], schema: pa.Schema) -> dict[str, dict[str, Any]]:
    rows = [row for name in names for table in read_rows(run.storage, name) for row in table.cast(schema).to_pylist()]
    by_id = {row["image_id"]: row for row in rows}
    assert len(by_id) == len(rows)
    return by_id


def test_where_nothing_was_set_aside_there_is_nothing_to_settle(lake: Lake) -> None:
    assert settle(lake, lake.begin()[0]) is None


@pytest.mark.parametrize("in_this_run", [True, False])
def test_a_twin_takes_over_the_image_and_stays_itself(lake: Lake, in_this_run: bool) -> None:
    if not in_this_run:
        committed(lake, image("a", "x"))
    run, _ = lake.begin()
    if in_this_run:
        write(run, "block", [image("a", "x")])
    settled = settle(lake, run, twin("b", "x"), twin("c", "x"), twin("d", "x"))
    assert settled is not None
    assert (settled.ok, settled.errors, settled.work.num_rows) == (3, {}, 0)
    images = read(run, run.parts(), IMAGES)
    original = next(row for table in LakeView(lake, (*lake.runs(),)).batches() for row in table.to_pylist())
    for image_id in "bcd":
        own = {name: twin(image_id, "x")[name] for name in ("image_id", "uri", "metadata", "source_fingerprint")}
        shared = {name: images[image_id][name] for name in images[image_id] if name not in {"ingested_at", *own}}
        assert shared == {name: original[name] for name in shared} | {"run_id": run.run_id}
        assert {name: images[image_id][name] for name in own} == own


def test_an_image_that_was_superseded_or_taken_out_still_has_its_answers(lake: Lake) -> None:
    committed(lake, image("a", "x"), image("b", "y"))
    committed(lake, image("a", "z"))
    gone, _ = lake.begin()
    gone.write_deleted("all", ["b"])
    gone.commit()
    run, _ = lake.begin()
    settled = settle(lake, run, twin("c", "x"), twin("d", "y"))
    assert settled is not None
    assert settled.ok == 2
    images = read(run, run.parts(), IMAGES)
    assert {row["image_id"]: row["caption"] for row in images.values()} == {"c": "Caption of x", "d": "Caption of y"}


def test_a_file_that_was_only_touched_takes_over_what_the_lake_has_of_itself(lake: Lake) -> None:
    committed(lake, image("a", "x", source_fingerprint="older"))
    run, _ = lake.begin()
    settled = settle(lake, run, twin("a", "x"))
    assert settled is not None
    assert settled.ok == 1
    run.commit()
    [row] = [row for table in LakeView.everything(lake).batches() for row in table.to_pylist()]
    assert (row["source_fingerprint"], row["caption"]) == ("source a", "Caption of x")


def test_what_failed_for_one_failed_for_all(lake: Lake) -> None:
    run, _ = lake.begin()
    write(run, "block", [], [{"image_id": "a", "content_sha256": digest("x"), **REFUSED}])
    settled = settle(lake, run, twin("b", "x"), twin("c", "x"))
    assert settled is not None
    assert (settled.ok, settled.errors, settled.failed) == (0, {"content_refused": 2}, {"caption": 2})
    assert settled.work.num_rows == 0
    letters = read(run, run.errors(), DEAD_LETTERS)
    assert letters.keys() == {"a", "b", "c"}
    letter = letters["b"]
    assert {name: letter[name] for name in REFUSED} == REFUSED
    own = ("uri", "metadata", "content_sha256", "manifest_uri", "row_number", "manifest_row")
    assert {name: letter[name] for name in own} == {name: twin("b", "x")[name] for name in own}
    assert (letter["run_id"], letter["failed_at"] is not None) == (run.run_id, True)


def test_failures_of_earlier_runs_are_over(lake: Lake) -> None:
    older, _ = lake.begin()
    write(older, "block", [], [{"image_id": "a", "content_sha256": digest("x"), **REFUSED}])
    older.commit()
    settled = settle(lake, lake.begin()[0], twin("b", "x"))
    assert settled is not None
    assert (settled.errors, settled.work["image_id"].to_pylist()) == ({}, ["b"])


@pytest.mark.parametrize(
    ("special", "there"),
    [({"embedding_fingerprint": "another"}, True), ({"caption_fingerprint": "another"}, True),
     ({"embedding_fingerprint": "another", "caption_fingerprint": "another"}, False)],
)  # fmt: skip
def test_what_is_known_only_in_part_is_worked_in_the_next_round(
    lake: Lake, special: dict[str, str], there: bool
) -> None:
    committed(lake, image("a", "x", **special))
    settled = settle(lake, lake.begin()[0], twin("b", "x"), twin("c", "y"))
    assert settled is not None
    assert settled.ok == 0
    assert settled.work.schema.equals(WORK)
    b, c = settled.work.to_pylist()
    assert (b["image_id"], c["image_id"], c["known"]) == ("b", "c", None)
    assert (b["stage"], b["code"], b["recheck"], b["known_source"]) == (None, None, False, None)
    assert (b["uri"], b["source_fingerprint"], b["row_number"]) == ("/b.png", "source b", 7)
    assert (b["known"] is not None) == there
    if there:
        names = ("caption", "caption_fingerprint", "embedding_fingerprint")
        known = {**image("a", "x"), **special}
        assert {name: b["known"][name] for name in names} == {name: known[name] for name in names}


def test_an_image_that_has_everything_is_preferred(lake: Lake) -> None:
    committed(lake, image("a", "x", caption="Whole"))
    committed(lake, image("b", "x", caption="In part", embedding_fingerprint="another"))
    run, _ = lake.begin()
    settled = settle(lake, run, twin("c", "x"))
    assert settled is not None
    assert (settled.ok, settled.work.num_rows) == (1, 0)
    assert read(run, run.parts(), IMAGES)["c"]["caption"] == "Whole"


def test_each_twin_ends_in_one_way(lake: Lake) -> None:
    committed(lake, image("a", "known"))
    run, _ = lake.begin()
    write(run, "block", [image("b", "worked")], [{"image_id": "c", "content_sha256": digest("failed"), **REFUSED}])
    contents = ["open", "failed", "known", "worked", "failed", "known", "open", "worked", "known"]
    settled = settle(lake, run, *(twin(f"t{i}", content) for i, content in enumerate(contents)))
    assert settled is not None
    assert (settled.ok, settled.errors.total(), settled.work.num_rows) == (5, 2, 2)
    images, letters = read(run, run.parts(), IMAGES), read(run, run.errors(), DEAD_LETTERS)
    assert images.keys() == {"b", "t2", "t3", "t5", "t7", "t8"}
    assert letters.keys() == {"c", "t1", "t4"}
    assert settled.work["image_id"].to_pylist() == ["t0", "t6"]
    assert {row["caption"] for row in images.values() if row["image_id"] in {"t2", "t5", "t8"}} == {"Caption of known"}


def test_twins_of_the_next_round_do_not_write_over_those_of_this_one(lake: Lake) -> None:
    committed(lake, image("a", "x"))
    run, _ = lake.begin()
    failing = {"content_sha256": digest("y"), **REFUSED}
    write(run, "block", [], [{"image_id": "y", **failing}])
    settle(lake, run, twin("b", "x"), twin("c", "y"))
    settle(lake, run, twin("d", "x"), twin("e", "y"), round_=2)
    assert read(run, run.parts(), IMAGES).keys() == {"b", "d"}
    assert read(run, run.errors(), DEAD_LETTERS).keys() == {"y", "c", "e"}


def test_settling_again_writes_the_same_once(lake: Lake) -> None:
    committed(lake, image("a", "x"))
    run, _ = lake.begin()
    for _ in range(2):
        settled = settle(lake, run, twin("b", "x"))
        assert settled is not None
    assert read(run, run.parts(), IMAGES).keys() == {"b"}
