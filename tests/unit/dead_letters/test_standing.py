"""Which dead letters stand: those that no newer run knows better about."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.lakes import add_run
from tuku.dead_letters import DeadLetters, Selection
from tuku.errors import StorageError
from tuku.lake import Lake
from tuku.schemas import DEAD_LETTERS

A, B = "/a.csv", "/b.csv"


def standing(lake: Lake, selection: Selection | None = None) -> list[str]:
    """Id and number of the run of each letter that stands, in the order they come in."""
    batches = DeadLetters.of(lake).batches(["image_id", "run_id"], selection or Selection())
    return [f"{row['image_id']}{row['run_id'][-1]}" for batch in batches for row in batch.to_pylist()]


def test_a_lake_that_is_not_there_has_none(lake):
    assert standing(lake) == []
    assert not lake.storage.root.exists()


def test_a_run_that_is_being_written_is_not_looked_at(lake, add):
    add(failed="ab")
    add(ok="a", failed="cb", end="nothing")
    assert standing(lake) == ["a0", "b0"]


def test_a_newer_image_ends_it_and_an_older_one_does_not(lake, add):
    add(ok="ax")
    add(failed="abx")
    add(ok="b")
    assert standing(lake) == ["a1", "x1"]


def test_an_image_of_the_same_run_does_not_end_it(lake, add):
    add(ok="a", failed="a")
    assert standing(lake) == ["a0"]


def test_all_letters_of_one_id_in_one_run_stand(lake, add):
    add(failed="a")
    add(failed="aa")
    assert standing(lake) == ["a1", "a1"]


def test_a_deleted_image_has_none(lake, add):
    add(failed="ab")
    add(gone="a")
    assert standing(lake) == ["b0"]


def test_the_newest_letter_takes_the_place_of_older_ones(lake, add):
    add(failed="abc")
    add(failed="ab")
    add(failed="b")
    assert standing(lake) == ["b2", "a1", "c0"]


def test_a_run_through_the_whole_manifest_settles_it(lake, add):
    add(failed="ab", manifest=A, complete=True)
    add(failed="x", manifest=B, complete=True)
    add(failed="b", manifest=A, complete=True)
    assert standing(lake) == ["b2", "x1"]


@pytest.mark.parametrize("end", ["commit", "seal"])
def test_a_run_through_a_part_of_the_manifest_settles_nothing(lake, add, end):
    add(failed="ab", manifest=A, complete=True)
    add(failed="b", manifest=A, complete=end == "seal", end=end)
    assert standing(lake) == ["b1", "a0"]


def test_a_run_of_several_manifests_loses_the_letters_of_the_settled_one(lake, add):
    add(failed=[{"image_id": "a", "manifest_uri": A}, {"image_id": "b", "manifest_uri": B}, {"image_id": "c"}])
    add(manifest=A, complete=True)
    assert standing(lake) == ["b0", "c0"]


def test_a_run_of_a_settled_manifest_is_not_even_read(lake, add):
    old = add(failed="ab", manifest=A, complete=True)
    add(failed="b", manifest=A, complete=True)
    for name in old.errors():
        lake.storage.write(name, b"damaged: reading it would raise")
    assert standing(lake) == ["b1"]


def test_images_older_than_every_letter_are_not_read(lake, add):
    old = add(ok="ab")
    add(failed="a")
    add(ok="x")
    for name in old.parts():
        lake.storage.write(name, b"damaged: reading it would raise")
    assert standing(lake) == ["a1"]


def test_a_selection(lake, add):
    add(failed=[{"image_id": "a", "code": "http_404"}, {"image_id": "b", "code": "http_404", "stage": "decode"}, {}])
    assert standing(lake, Selection(reason="http_404")) == ["a0", "b0"]
    assert standing(lake, Selection(stage="fetch")) == ["a0", "id-20"]
    assert standing(lake, Selection(reason="http_404", stage="decode")) == ["b0"]
    assert standing(lake, Selection(reason="http_4")) == []


def test_all_columns_come_in_their_schema(lake, add):
    add(failed=[{"image_id": "a", "metadata": '{"price": 4}', "uri": "/图/1.png"}])
    [batch] = DeadLetters.of(lake).batches()
    assert batch.schema.equals(DEAD_LETTERS)
    assert batch.select(["metadata", "uri", "code"]).to_pylist() == [
        {"metadata": '{"price": 4}', "uri": "/图/1.png", "code": "not_found"}
    ]


def test_a_list_stays_what_it_was_when_another_run_is_committed(lake, add):
    add(failed="a")
    letters = DeadLetters.of(lake)
    add(ok="a")
    assert [batch.num_rows for batch in letters.batches(["uri"])] == [1]
    assert standing(lake) == []


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff"])
def test_a_plan_that_nobody_wrote_is_an_explained_error(lake, add, content):
    run = add(failed="a")
    lake.storage.write(f"{run.folder}/plan.json", content)
    with pytest.raises(StorageError, match=r"plan\.json"):
        standing(lake)


def test_a_run_without_a_plan_settles_nothing(lake, add):
    add(failed="ab", manifest=A)
    run = add(failed="b", manifest=A)
    lake.storage.remove(f"{run.folder}/plan.json")
    assert standing(lake) == ["b1", "a0"]


RUNS = st.fixed_dictionaries(
    {
        "ok": st.text("abc", max_size=2),
        "failed": st.lists(st.sampled_from("abc"), max_size=3),
        "gone": st.text("abc", max_size=1),
        "manifest": st.sampled_from([A, B]),
        "complete": st.booleans(),
        "end": st.sampled_from(["commit", "commit", "seal", "nothing"]),
    }
)


@settings(max_examples=60, deadline=None)
@given(runs=st.lists(RUNS, max_size=5))
def test_it_agrees_with_the_rules_said_one_by_one(tmp_path_factory, runs):
    lake = Lake.at(str(tmp_path_factory.mktemp("lake")))
    for run in runs:
        add_run(lake, **run)

    def over(image_id, manifest, newer):
        if newer["end"] == "nothing":
            return False
        if newer["end"] == "seal":
            return image_id in newer["ok"] or image_id in newer["failed"]
        if newer["complete"] and newer["manifest"] == manifest:
            return True
        return any(image_id in newer[outcome] for outcome in ("ok", "failed", "gone"))

    wanted = [
        f"{image_id}{number}"
        for number, run in enumerate(runs)
        for image_id in run["failed"]
        if run["end"] != "nothing" and not any(over(image_id, run["manifest"], newer) for newer in runs[number + 1 :])
    ]
    assert sorted(standing(lake)) == sorted(wanted)
