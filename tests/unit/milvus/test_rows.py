"""Lake rows as Milvus rows: limits in bytes, safe names, values that JSON in Milvus can hold."""

from __future__ import annotations

import json
import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuku.config import FIELD_NAMES
from tuku.errors import ConfigError, VectorSpaceError
from tuku.metadata_names import named_fields
from tuku.milvus.fields import MAX_METADATA_BYTES, Layout, scalar_fields
from tuku.milvus.rows import cut, milvus_rows, vector_matrix, within_limit
from tuku.schemas import IMAGES


def images(*rows: dict) -> pa.Table:
    given = {"image_id": "a", "uri": "a.jpg", "caption": "一只猫", "keywords": ["猫"], "metadata": "{}"}
    vectors = {"image_embedding": [1.0, 0.0], "text_embedding": [0.0, 1.0]}
    return pa.Table.from_pylist([{**given, **vectors, **row} for row in rows], schema=IMAGES)


@given(st.text(), st.integers(min_value=1, max_value=40))
def test_a_text_is_cut_between_characters_and_as_late_as_possible(text: str, limit: int) -> None:
    short = cut(text, limit)
    assert text.startswith(short)
    assert len(short.encode()) <= limit
    if short != text:
        assert len(text[: len(short) + 1].encode()) > limit


def test_a_row_has_every_field_and_its_vectors() -> None:
    [row] = milvus_rows(images({"run_id": "r1", "metadata": '{"price": 9.5}'}), Layout(("image_embedding",), 2))
    assert row.keys() == {*scalar_fields(), "image_embedding", "price"}
    assert row["id"] == "a"
    assert row["origin"] == "a.jpg"
    assert row["image_description"] == "一只猫"
    assert row["image_embedding"].dtype == np.float32
    assert row["image_embedding"].tolist() == [1.0, 0.0]
    assert row["caption_model"] == ""


def test_long_captions_and_keywords_are_cut_in_bytes() -> None:
    [row] = milvus_rows(images({"caption": "猫" * 5_000, "keywords": ["猫" * 100] * 100}), Layout((), 2))
    assert len(row["image_description"].encode()) == 8_190
    assert len(row["keywords"]) == 64
    assert len(row["keywords"][0].encode()) == 255


def test_an_id_that_the_key_cannot_hold_is_refused() -> None:
    with pytest.raises(ConfigError, match="longer than 512 bytes"):
        milvus_rows(images({"image_id": "猫" * 171}), Layout((), 2))


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("price", "price"),
        ("_price_2", "_price_2"),
        ("名称", "名称"),
        ("unit price", "unit_price_ddf02bda"),
        ("unit-price", "unit_price_5cee09df"),
        ("$meta", "meta_03fa1ad3"),
        ("2nd", "_2nd_c21365c7"),
        ("", "_e3b0c442"),
        ("€", "_c4cc90ed"),
        ("\ud800", "_91a681b9"),
        ("id", "meta_id"),
        ("meta_id", "meta_meta_id"),
        ("meta_meta_id", "meta_meta_meta_id"),
        ("meta_data", "meta_data"),
        ("origin", "meta_origin"),
        ("text_embedding", "meta_text_embedding"),
        ("a.b", "a_b_2e7336dc"),
    ],
)
def test_metadata_gets_names_that_filters_can_use(name: str, safe: str) -> None:
    assert named_fields({name: 1}) == {safe: 1}


@given(
    st.lists(
        st.sampled_from(["a b", "a-b", "a_b", "id", "meta_id", "meta_meta_id", "2", "_2"]), min_size=2, unique=True
    )
)
def test_a_column_bears_one_name_whatever_other_columns_a_row_has(columns: list[str]) -> None:
    alone = {column: next(iter(named_fields({column: 1}))) for column in columns}
    assert named_fields({column: column for column in columns}) == {alone[column]: column for column in columns}


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text() | st.floats() | st.none(), max_size=6))
def test_no_metadata_is_lost_and_no_fixed_field_overwritten(metadata: dict) -> None:
    fields = named_fields(metadata)
    kept = [v for v in metadata.values() if v is not None and not (isinstance(v, float) and not np.isfinite(v))]
    assert len(fields) == len(kept)
    assert not FIELD_NAMES & fields.keys()
    json.dumps(fields, allow_nan=False)


def test_values_are_left_out_or_made_to_fit() -> None:
    metadata = {
        "none": None,
        "nan": float("nan"),
        "big": 2**70,
        "nested": {"a": [1, None, {"b": float("inf")}]},
    }
    assert named_fields(metadata) == {"big": str(2**70), "nested": {"a": [1, None, {"b": None}]}}


def test_metadata_beyond_the_limit_loses_its_largest_value_only() -> None:
    assert within_limit({"small": 1, "large": "x" * MAX_METADATA_BYTES}) == {"small": 1}


def test_very_many_metadata_lose_their_largest_values_at_once_and_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fields = {f"name{number:05d}": "x" * (number % 10) for number in range(10_000)}
    started = time.process_time()
    kept = within_limit(dict(fields))
    assert time.process_time() - started < 1.0
    assert sum(len(json.dumps({name: value})) for name, value in kept.items()) <= MAX_METADATA_BYTES
    assert set(kept.values()) <= {"x" * length for length in range(1 + max(map(len, kept.values())))}
    [record] = caplog.records
    assert f"and {10_000 - len(kept) - 3:,} others" in record.message
    assert len(record.message) < 400


def test_vectors_come_without_the_rows_sliced_away() -> None:
    table = images({"image_embedding": [1.0, 2.0]}, {"image_embedding": [3.0, 4.0]}, {"image_embedding": [5.0, 6.0]})
    assert vector_matrix(table.slice(1, 1), "image_embedding", 2).tolist() == [[3.0, 4.0]]
    assert vector_matrix(table.slice(0, 0), "image_embedding", 2).shape == (0, 2)
    assert vector_matrix(IMAGES.empty_table(), "image_embedding", 2).shape == (0, 2)


def test_a_vector_of_another_length_is_refused() -> None:
    with pytest.raises(VectorSpaceError, match="not 2"):
        vector_matrix(images({"image_embedding": [1.0, 2.0, 3.0]}), "image_embedding", 2)


def test_a_missing_vector_is_refused() -> None:
    with pytest.raises(ConfigError, match="no text_embedding"):
        vector_matrix(images({"text_embedding": None}), "text_embedding", 2)
