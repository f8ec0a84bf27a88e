"""The lake's current view: for every image its newest committed row, however it is read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.lakes import run_id
from fakes.tables import image_rows
from tuku.lake import Lake, Run, Stamp
from tuku.lake_view import LakeView
from tuku.schemas import DEAD_LETTERS, IMAGES, KNOWN


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(str(tmp_path / "lake"))


def add_run(lake: Lake, ids: str, *, gone: Iterable[str] = "", model: str = "fake/model@1", commit: bool = True) -> Run:
    """A run with one image for each letter, in part files of two; their captions name the run's number.

    It takes out the images of `gone`.
    """
    number = len(lake.runs())
    run = Run(lake.storage, run_id(number))
    run.write_json("plan.json", {})
    for start in range(0, len(ids), 2):
        given = [
            {"image_id": i, "caption": f"{i}{number}", "run_id": run.run_id, "embedding_fingerprint": model}
            for i in ids[start : start + 2]
        ]
        run.write_block(f"{start:03d}", image_rows(*given), DEAD_LETTERS.empty_table())
    run.write_deleted("000", list(gone))
    if commit:
        run.commit()
    return run


def captions(view: LakeView) -> list[str]:
    return sorted(caption for table in view.batches(["caption"]) for caption in table.column("caption").to_pylist())


def test_an_empty_lake_has_an_empty_view(lake: Lake) -> None:
    view = LakeView.everything(lake)
    assert view.rows() == 0
    assert list(view.batches()) == []
    assert list(view.changed_since(set())) == []
    assert view.sample(5, seed=1).equals(IMAGES.empty_table())
    assert view.run_ids() == set()
    assert LakeView.of_one_space(lake).rows() == 0


def test_the_newest_run_wins(lake: Lake) -> None:
    add_run(lake, "abcde")
    add_run(lake, "bd")
    add_run(lake, "d")
    view = LakeView.everything(lake)
    assert captions(view) == ["a0", "b1", "c0", "d2", "e0"]
    assert view.rows() == 5
    assert view.run_ids() == {run_id(0), run_id(1), run_id(2)}


def test_runs_that_are_not_committed_do_not_count(lake: Lake) -> None:
    add_run(lake, "ab")
    add_run(lake, "b", commit=False)
    assert captions(LakeView.everything(lake)) == ["a0", "b0"]


def test_a_view_stays_what_it_was_when_another_run_is_committed(lake: Lake) -> None:
    add_run(lake, "ab")
    view = LakeView.everything(lake)
    add_run(lake, "bc")
    assert captions(view) == ["a0", "b0"]
    assert captions(LakeView.everything(lake)) == ["a0", "b1", "c1"]


def test_runs_that_changed_nothing_are_passed_over(lake: Lake) -> None:
    add_run(lake, "")
    add_run(lake, "ab")
    add_run(lake, "")
    view = LakeView.everything(lake)
    assert view.rows() == 2
    assert captions(view) == ["a1", "b1"]
    assert view.run_ids() == {run_id(0), run_id(1), run_id(2)}


def test_columns_come_as_they_were_asked_for(lake: Lake) -> None:
    add_run(lake, "ab")
    add_run(lake, "b")
    add_run(lake, "c", model="fake/model@2")
    view = LakeView(lake, tuple(lake.committed_runs()), embedding_fingerprint="fake/model@1")
    tables = list(view.batches(["caption", "uri"]))
    assert [table.column_names for table in tables] == [["caption", "uri"]] * len(tables)
    assert captions(view) == ["a0", "b1"]
    assert all(table.schema.equals(IMAGES) for table in view.batches())


def test_changed_since_gives_the_live_rows_of_the_other_runs(lake: Lake) -> None:
    add_run(lake, "abc")
    add_run(lake, "bcd")
    add_run(lake, "cx")
    view = LakeView.everything(lake)

    def changed(*run_ids: str) -> list[str]:
        return sorted(text for table in view.changed_since(set(run_ids)) for text in table["caption"].to_pylist())

    assert changed() == captions(view) == ["a0", "b1", "c2", "d1", "x2"]
    assert changed(run_id(0), run_id(1)) == ["c2", "x2"]
    assert changed(run_id(1), run_id(2)) == ["a0"]
    assert changed(run_id(0), run_id(2)) == ["b1", "d1"]
    assert changed(run_id(0), run_id(1), run_id(2)) == []


def test_changed_since_does_not_read_runs_that_are_known_already(lake: Lake) -> None:
    old = add_run(lake, "ab")
    add_run(lake, "b")
    for name in old.parts():
        lake.storage.write(name, b"damaged: reading it would raise")
    [table] = LakeView.everything(lake).changed_since({old.run_id})
    assert table["caption"].to_pylist() == ["b1"]


def test_a_view_of_one_space_leaves_out_the_rows_of_another_model(lake: Lake) -> None:
    add_run(lake, "abc", model="old")
    lake.write_stamp(Stamp("n", 2, "new"))
    add_run(lake, "bc", model="new")
    assert captions(LakeView.of_one_space(lake)) == ["b1", "c1"]
    assert LakeView.of_one_space(lake).rows() == 2
    assert captions(LakeView.everything(lake)) == ["a0", "b1", "c1"]


def test_a_row_of_the_other_model_that_is_newer_hides_the_older_one(lake: Lake) -> None:
    add_run(lake, "ab", model="old")
    add_run(lake, "b", model="new")
    lake.write_stamp(Stamp("o", 2, "old"))
    add_run(lake, "c", model="old")
    assert captions(LakeView.of_one_space(lake)) == ["a0", "c2"]


def test_a_lake_of_one_model_needs_no_filter(lake: Lake) -> None:
    lake.write_stamp(Stamp("m", 2, "m"))
    add_run(lake, "ab", model="m")
    view = LakeView.of_one_space(lake)
    assert view.embedding_fingerprint is None
    assert captions(view) == ["a0", "b0"]


def test_a_sample_is_the_same_for_the_same_seed_and_another_for_another(lake: Lake) -> None:
    add_run(lake, "abcdefghijkl")
    add_run(lake, "bdf")
    view = LakeView.everything(lake)
    first = view.sample(5, seed=7)
    assert first.num_rows == 5
    assert first.equals(LakeView.everything(lake).sample(5, seed=7))
    assert {tuple(view.sample(5, seed=seed)["image_id"].to_pylist()) for seed in range(9)} != {
        tuple(first["image_id"].to_pylist())
    }


def test_a_sample_larger_than_the_lake_is_the_lake(lake: Lake) -> None:
    add_run(lake, "abc")
    assert sorted(LakeView.everything(lake).sample(99, seed=1)["caption"].to_pylist()) == ["a0", "b0", "c0"]


def test_a_sample_draws_every_image(lake: Lake) -> None:
    add_run(lake, "abcdef")
    add_run(lake, "ace")
    view = LakeView.everything(lake)
    drawn = {text for seed in range(40) for text in view.sample(2, seed)["caption"].to_pylist()}
    assert drawn == {"a1", "b0", "c1", "d0", "e1", "f0"}


def deleted(view: LakeView, *run_ids: str) -> list[str]:
    return sorted(image_id for ids in view.deleted_since(set(run_ids)) for image_id in ids.to_pylist())


def test_what_a_run_took_out_is_gone_until_another_brings_it_back(lake: Lake) -> None:
    add_run(lake, "abc")
    add_run(lake, "d", gone="ab")
    assert captions(LakeView.everything(lake)) == ["c0", "d1"]
    assert LakeView.everything(lake).rows() == 2
    add_run(lake, "b", gone="c")
    view = LakeView.everything(lake)
    assert captions(view) == ["b2", "d1"]
    assert (view.rows(), view.stored_rows()) == (2, 5)
    assert view.sample(9, seed=1).num_rows == 2


def test_a_lake_of_which_everything_was_taken_out_is_empty(lake: Lake) -> None:
    add_run(lake, "ab")
    add_run(lake, "", gone="ab")
    view = LakeView.everything(lake)
    assert (view.rows(), captions(view)) == (0, [])


def test_deleted_since_gives_what_is_gone_and_not_what_came_back(lake: Lake) -> None:
    add_run(lake, "abcd")
    add_run(lake, "", gone="abx")
    add_run(lake, "a", gone="c")
    view = LakeView.everything(lake)
    assert deleted(view) == ["b", "c", "x"]
    assert deleted(view, run_id(0), run_id(1)) == ["c"]
    assert deleted(view, run_id(0), run_id(2)) == ["b", "x"]
    assert deleted(view, run_id(0), run_id(1), run_id(2)) == []
    assert sorted(text for table in view.changed_since({run_id(0)}) for text in table["caption"].to_pylist()) == ["a2"]


def test_what_an_interrupted_run_was_about_to_take_out_stays(lake: Lake) -> None:
    add_run(lake, "ab")
    add_run(lake, "c", gone="a", commit=False).seal()
    view = LakeView.everything(lake)
    assert captions(view) == ["a0", "b0", "c1"]
    assert deleted(view) == []


def test_a_view_of_one_space_knows_what_was_taken_out(lake: Lake) -> None:
    add_run(lake, "abc", model="old")
    lake.write_stamp(Stamp("n", 2, "new"))
    add_run(lake, "bcd", model="new")
    add_run(lake, "", gone="b")
    view = LakeView.of_one_space(lake)
    assert captions(view) == ["c1", "d1"]
    assert view.rows() == 2


def test_rows_are_found_where_they_stand(lake: Lake) -> None:
    add_run(lake, "abcde")
    add_run(lake, "xy", gone="a")
    view = LakeView.everything(lake)
    known = pa.concat_tables(table for file in view.files for table in file.known())
    assert known.schema.equals(KNOWN)
    assert known["deleted"].to_pylist() == [False] * 7 + [True]
    assert known["image_id"].to_pylist() == [*"abcdexy", "a"]
    there = known.filter(pc.is_in(known["image_id"], value_set=pa.array(list("bdey"))))
    places = there["place"].to_numpy()
    found = list(view.at(places, ["image_id", "caption"]))
    assert np.concatenate([some for some, _ in found]).tolist() == places.tolist()
    assert pa.concat_tables(table for _, table in found)["caption"].to_pylist() == ["b0", "d0", "e0", "y1"]
    assert list(view.at(np.array([], np.int64), ["caption"])) == []


def test_a_row_that_is_asked_for_twice_comes_twice(lake: Lake) -> None:
    add_run(lake, "abc")
    [(places, table)] = LakeView.everything(lake).at(np.array([0, 0, 1]), ["image_id"])
    assert places.tolist() == [0, 0, 1]
    assert table["image_id"].to_pylist() == ["a", "a", "b"]


def test_places_are_right_in_files_that_come_in_several_tables(lake: Lake) -> None:
    run = Run(lake.storage, run_id(0))
    run.write_block("all", image_rows(*({"image_id": str(i)} for i in range(9_000))), DEAD_LETTERS.empty_table())
    run.commit()
    add_run(lake, "", gone=["5", "8999"])
    view = LakeView.everything(lake)
    places = np.array([0, 4_095, 4_096, 8_500])
    found = [image_id for _, table in view.at(places, ["image_id"]) for image_id in table["image_id"].to_pylist()]
    assert found == ["0", "4095", "4096", "8500"]
    assert view.rows() == 8_998
    left = {image_id for table in view.batches(["image_id"]) for image_id in table["image_id"].to_pylist()}
    assert left == {str(i) for i in range(9_000)} - {"5", "8999"}


ids = st.lists(st.sampled_from("abcdef"), unique=True).map("".join)


@settings(max_examples=25, deadline=None)
@given(
    runs=st.lists(st.tuples(ids, ids), max_size=4),
    known=st.sets(st.integers(min_value=0, max_value=3)),
)
def test_all_ways_to_read_agree(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[str, str]], known: set[int]
) -> None:
    lake = Lake.at(str(tmp_path_factory.mktemp("lake")))
    newest: dict[str, int] = {}
    took_out: dict[str, int] = {}
    for number, (brought, gone) in enumerate(runs):
        add_run(lake, brought, gone=(left := set(gone) - set(brought)))
        newest.update(dict.fromkeys(brought, number))
        newest = {image_id: run for image_id, run in newest.items() if image_id not in left}
        took_out.update(dict.fromkeys(left, number))
    view = LakeView.everything(lake)
    wanted = sorted(f"{i}{number}" for i, number in newest.items())
    assert view.rows() == len(wanted)
    assert captions(view) == wanted
    assert sorted(view.sample(99, seed=0)["caption"].to_pylist()) == wanted
    names = {run_id(number) for number in known}
    changed = pa.concat_tables([IMAGES.empty_table(), *view.changed_since(names)])
    assert sorted(changed["caption"].to_pylist()) == sorted(
        f"{i}{number}" for i, number in newest.items() if number not in known
    )
    assert deleted(view, *names) == sorted(
        i for i, number in took_out.items() if i not in newest and number not in known
    )


def test_what_its_images_come_from_is_the_same_after_a_run_that_brought_nothing(lake: Lake) -> None:
    add_run(lake, "abc")
    before = LakeView.everything(lake).sources()
    add_run(lake, "")
    assert LakeView.everything(lake).sources() == before
    add_run(lake, "", gone="a")
    add_run(lake, "d")
    after = LakeView.everything(lake).sources()
    assert after[:2] == before
    assert len(after) == 4
