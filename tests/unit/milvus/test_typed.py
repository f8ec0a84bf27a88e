"""Metadata as fields with a type: what fits, what is refused, and what stays a dynamic field."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from fakes.memory_lake import DIM, images, with_metadata
from tuku.config import FIELD_NAMES, MilvusConfig
from tuku.errors import ConfigError
from tuku.milvus.export import DYNAMIC, import_table
from tuku.milvus.fields import MAX_METADATA_BYTES, Layout, Typed, scalar_fields
from tuku.milvus.rows import milvus_rows
from tuku.milvus.typed import typed_value
from tuku.typed_values import MAX_TEXT_BYTES


@pytest.mark.parametrize(
    ("kind", "value", "held"),
    [
        ("varchar", "猫", "猫"),
        ("varchar", "", ""),
        ("varchar", 12, "12"),
        ("varchar", 1.5, "1.5"),
        ("varchar", "x" * MAX_TEXT_BYTES, "x" * MAX_TEXT_BYTES),
        ("int64", 3, 3),
        ("int64", 3.0, 3),
        ("int64", " 03 ", 3),
        ("double", "-.5e1", -5.0),
        ("double", "7", 7.0),
        ("bool", "True", True),
        ("int64", -(2**63) + 1, -(2**63) + 1),
        ("double", 3, 3.0),
        ("double", 3.25, 3.25),
        ("bool", False, False),
    ],
)
def test_a_value_is_held_in_its_type(kind: Any, value: Any, held: Any) -> None:
    made = typed_value(value, "column", Typed(kind), "i1")
    assert made == held
    assert type(made) is type(held)


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("varchar", True, "true"),
        ("varchar", {"a": 1}, r'\{"a": 1\}'),
        ("varchar", ["a"], r'\["a"\]'),
        ("varchar", "猫" * MAX_TEXT_BYTES, "猫… .8,194 characters.*8,192 bytes"),
        ("int64", 1.5, "1.5"),
        ("int64", "3.5", '"3.5"'),
        ("int64", "1_000", '"1_000"'),
        ("int64", "９", '"９"'),
        ("double", "inf", '"inf"'),
        ("double", "1e999", '"1e999"'),
        ("double", "", '""'),
        ("int64", True, "true"),
        ("int64", 2**63, "9223372036854775808"),
        ("double", "cheap", '"cheap"'),
        ("double", False, "false"),
        ("bool", 1, "1"),
        ("bool", "yes", '"yes"'),
    ],
)
def test_another_value_is_refused_with_image_column_value_and_remedy(kind: Any, value: Any, shown: str) -> None:
    with pytest.raises(ConfigError, match=rf"'i1' has column = .*{shown}.*{kind}.*milvus\.indexed_metadata\.column"):
        typed_value(value, "column", Typed(kind), "i1")


def test_a_missing_value_is_a_null_where_there_are_nulls() -> None:
    assert typed_value(None, "column", Typed("double"), "i1") is None
    with pytest.raises(ConfigError, match=r"'i1' has no column.*2\.5.*out of milvus\.indexed_metadata"):
        typed_value(None, "column", Typed("double", nullable=False), "i1")


@pytest.mark.parametrize(("kind", "zero"), [("varchar", ""), ("int64", 0)])
def test_a_row_without_a_partition_key_is_filed_under_the_zero(kind: Any, zero: Any) -> None:
    assert typed_value(None, "column", Typed(kind, nullable=False, partitioned=True), "i1") == zero


def catalogue(*metadata: dict) -> pa.Table:
    return with_metadata(images([f"i{number}" for number in range(len(metadata))], "r1"), metadata)


LAYOUT = Layout(("image_embedding",), DIM, {"price": Typed("double"), "category": Typed("varchar")})


def test_typed_columns_are_no_dynamic_fields_any_more() -> None:
    table = catalogue({"price": 1, "category": "shoe", "other": [1]}, {"price": None, "meta": 2})
    first, second = milvus_rows(table, LAYOUT)
    assert (first["price"], first["category"], first["other"]) == (1.0, "shoe", [1])
    assert (second["price"], second["category"], second["meta"]) == (None, None, 2)
    assert "other" not in second
    imported = import_table(table, LAYOUT)
    assert imported.column("price").to_pylist() == [1.0, None]
    assert imported.column("category").to_pylist() == ["shoe", None]
    assert [json.loads(text) for text in imported.column(DYNAMIC).to_pylist()] == [{"other": [1]}, {"meta": 2}]


def test_a_typed_value_does_not_count_against_the_dynamic_fields() -> None:
    kept = "x" * (MAX_METADATA_BYTES - 100)
    [row] = milvus_rows(catalogue({"category": "y" * 8_000, "other": kept}), LAYOUT)
    assert len(row["category"]) == 8_000
    assert row["other"] == kept


def test_the_configuration_knows_every_field() -> None:
    assert {*scalar_fields(), "image_embedding", "text_embedding"} == FIELD_NAMES


@pytest.mark.parametrize("name", [*sorted(FIELD_NAMES), "RowID", "Timestamp"])
def test_a_name_that_is_taken_is_refused_in_the_configuration(name: str) -> None:
    with pytest.raises(ValidationError, match=f"other names than {name}"):
        MilvusConfig(indexed_metadata={name: "varchar"})


def test_another_name_is_fine() -> None:
    assert MilvusConfig(indexed_metadata={"meta_id": "int64"}).indexed_metadata == {"meta_id": "int64"}
