"""Metadata that the collection could not hold."""

from __future__ import annotations

import json

from fakes.tables import failure, manifest_rows
from tuku.errors import RowError
from tuku.metadata_names import field_name
from tuku.schemas import ROWS
from tuku.stages.metadata import check_metadata

TYPED = {"price": "double", "year": "int64", "sale": "bool", "brand": "varchar"}


def codes(*metadata: dict) -> list[str | None]:
    rows = manifest_rows(*[{"metadata": json.dumps(each)} for each in metadata])
    checked = check_metadata(rows, TYPED)
    assert checked.schema.equals(ROWS)
    assert checked["image_id"].to_pylist() == rows["image_id"].to_pylist()
    return checked["code"].to_pylist()


def test_what_fits_or_is_missing_is_fine() -> None:
    fine = {"price": 3, "year": 2020, "sale": False, "brand": 12, "other": ["n/a"]}
    assert codes(fine, {}, {"price": None}) == [None, None, None]


def test_each_value_of_another_type_fails_its_row() -> None:
    wrong = [{"price": "n/a"}, {"year": 20.5}, {"sale": "yes"}, {"brand": ["a"]}]
    assert codes(*wrong, {"price": 1}) == ["wrong_type"] * 4 + [None]


def test_a_column_is_known_by_its_name_in_the_collection() -> None:
    rows = manifest_rows({"metadata": '{"sale price": "n/a"}'}, {"metadata": '{"id": "n/a"}'})
    typed = {field_name("sale price"): "double", "meta_id": "int64"}
    assert check_metadata(rows, typed)["code"].to_pylist() == ["wrong_type"] * 2


def test_the_dead_letter_says_what_where_and_which_key() -> None:
    rows = check_metadata(manifest_rows({"metadata": json.dumps({"price": "n/a"})}), TYPED)
    [row] = rows.to_pylist()
    assert (row["stage"], row["retryable"]) == ("manifest", False)
    assert row["message"] == (
        'The row has price = "n/a", which is not a number, as the type double asks in milvus.indexed_metadata.'
    )


def test_an_earlier_reason_stays_and_nothing_typed_is_nothing_done() -> None:
    earlier = failure("manifest", RowError("missing_uri", "no uri"))
    rows = manifest_rows({"metadata": '{"price": "n/a"}', **earlier})
    assert check_metadata(rows, TYPED)["code"].to_pylist() == ["missing_uri"]
    assert check_metadata(rows, {}) is rows
