"""The digest of rows: the same for the same rows however they are cut, another for others."""

from __future__ import annotations

from datetime import datetime, timezone
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuku.housekeeping.digest import RowsDigest
from tuku.schemas import IMAGES

texts = st.none() | st.sampled_from(["", "a", "b", "ab", "猫"])
vectors = st.none() | st.lists(st.none() | st.sampled_from([0.0, 1.0, -0.5]), max_size=3)
rows = st.fixed_dictionaries(
    {},
    optional={
        "image_id": texts,
        "caption": texts,
        "keywords": st.none() | st.lists(texts, max_size=3),
        "image_embedding": vectors,
        "text_embedding": vectors,
        "width": st.none() | st.integers(0, 2),
        "ingested_at": st.none() | st.sampled_from([datetime(2026, 1, 1, tzinfo=timezone.utc)]),
    },
)
tables = st.lists(rows, max_size=5).map(lambda drawn: pa.Table.from_pylist(drawn, IMAGES))


def digest(*tables: pa.Table) -> str:
    made = RowsDigest(IMAGES)
    for table in tables:
        made.add(table)
    return made.hexdigest()


@settings(max_examples=60, deadline=None)
@given(table=tables, cuts=st.lists(st.integers(0, 5), max_size=3))
def test_it_does_not_matter_how_rows_are_cut(table: pa.Table, cuts: list[int]) -> None:
    bounds = [0, *sorted(min(cut, table.num_rows) for cut in cuts), table.num_rows]
    pieces = [table.slice(start, end - start) for start, end in pairwise(bounds)]
    assert digest(*pieces) == digest(table)
    assert digest(pa.concat_tables([table.slice(0, 0), *pieces]).combine_chunks()) == digest(table)


@settings(max_examples=80, deadline=None)
@given(one=tables, other=tables)
def test_other_rows_have_another_digest(one: pa.Table, other: pa.Table) -> None:
    assert (digest(one) == digest(other)) == (one.to_pylist() == other.to_pylist())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"caption": "ab"}, {"uri": "ab"}),
        ({"keywords": ["ab"]}, {"keywords": ["a", "b"]}),
        ({"keywords": []}, {"keywords": None}),
        ({"keywords": [None]}, {"keywords": []}),
        ({"caption": ""}, {"caption": None}),
        ({"image_embedding": [0.0]}, {"image_embedding": [None]}),
        ({"image_embedding": [1.0]}, {"image_embedding": [1.0000001]}),
        ({"width": 0}, {"width": None}),
    ],
    ids=str,
)
def test_what_looks_alike_is_told_apart(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert digest(pa.Table.from_pylist([one], IMAGES)) != digest(pa.Table.from_pylist([other], IMAGES))
