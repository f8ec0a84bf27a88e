"""Any history of nights, compactions and vacuums: readers, collections and dead letters never see a difference."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from fakes.nights import PART, STEPS, captions, images, later, letters, night, now
from tuku.housekeeping import compact, compaction, find_removals, remove
from tuku.lake import Lake
from tuku.lake_view import LakeView
from tuku.milvus.loaded_runs import LoadedRuns

IDS = "abcdef"


@dataclass
class Collection:
    """A collection that is loaded as `milvus.job` does it."""

    rows: dict[str, str] = field(default_factory=dict)
    loaded: LoadedRuns = field(default_factory=LoadedRuns)
    sent: int = 0

    def load(self, view: LakeView) -> None:
        for ids in view.deleted_since(self.loaded):
            for gone in ids.to_pylist():
                self.rows.pop(gone, None)
        for table in view.changed_since(self.loaded):
            self.sent += table.num_rows
            self.rows.update(zip(*(table.column(each).to_pylist() for each in ("image_id", "caption")), strict=True))
        self.loaded = self.loaded.adding(view.run_ids())


subsets = st.sets(st.sampled_from(IDS), max_size=4)
steps = st.one_of(
    st.tuples(st.just("night"), subsets, subsets, subsets),
    st.tuples(st.just("night"), subsets, st.just(set()), st.just(set())),
    st.tuples(st.just("compact"), st.integers(1, 4)),
    st.tuples(st.just("vacuum"), st.sampled_from([0, 8, 91])),
    st.tuples(st.just("load")),
)


@settings(
    max_examples=int(os.environ.get("HISTORIES", "25")), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(st.lists(steps, min_size=4, max_size=9))
def test_no_difference_is_seen(history: list[tuple]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake, collection = Lake.at(f"{folder}/lake"), Collection()
        expected: dict[str, str] = {}
        failed: set[str] = set()
        for kind, *values in history:
            before = now(lake)
            if kind == "night":
                ok, bad, gone = values[0], values[1] - values[0], values[2] - values[0] - values[1]
                night(lake, ok, bad, gone)
                number = len(lake.runs())
                expected = {each: text for each, text in expected.items() if each not in gone}
                expected |= {each: f"{each}{number}" for each in ok}
                failed = (failed - ok - gone) | bad
            elif kind == "compact":
                _compact(lake, values[0])
                assert now(lake).equals(before)
            elif kind == "vacuum":
                if values[0] > 90:  # a collection that was not loaded for so long is filled anew
                    collection.load(LakeView.everything(lake))
                remove(lake, find_removals(lake, later(values[0])), STEPS)
                assert now(lake).equals(before)
            else:
                _load(lake, collection, expected)
            assert captions(lake) == " ".join(expected[each] for each in sorted(expected))
            assert letters(lake).column("image_id").to_pylist() == sorted(failed)
            view = LakeView.everything(lake)
            assert view.rows() == len(expected) == sum(view.live_rows().values())
        _load(lake, collection, expected)


def _compact(lake: Lake, newest: int) -> None:
    """Compact so many runs, whether or not they are worth it."""
    view = LakeView.everything(lake)
    before, failures = images(view), letters(lake)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compaction, "choose_runs", lambda sizes, everything: tuple(size.run for size in sizes[-newest:]))
        done = compact(lake, PART, STEPS)
    event(f"compacted {len(done.replaced) if done else 0} of {len(view.runs)} runs")
    assert images(view).equals(before), "a reader with an old view is disturbed"
    assert letters(lake).equals(failures)


def _load(lake: Lake, collection: Collection, expected: dict[str, str]) -> None:
    view = LakeView.everything(lake)
    collection.load(view)
    assert collection.rows == expected
    _compact(lake, len(view.runs))
    sent = collection.sent
    collection.load(LakeView.everything(lake))
    assert (collection.sent, collection.rows) == (sent, expected)
