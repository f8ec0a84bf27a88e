"""Spill: rows come back bucket by bucket, in the order in which they were set aside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuku import spill as spill_module
from tuku.spill import Spill, spilled
from tuku.storage import DiskStorage, Storage

SCHEMA = pa.schema([("number", pa.int64()), ("text", pa.string())])


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return DiskStorage(tmp_path)


def rows(*numbers: int) -> pa.Table:
    return pa.table({"number": list(numbers), "text": [str(number) for number in numbers]}, schema=SCHEMA)


def read(storage: Storage, bucket: int, folder: str = "spill") -> list[int]:
    tables = list(spilled(storage, folder, bucket))
    assert all(table.schema.equals(SCHEMA) for table in tables)
    return [number for table in tables for number in table.column("number").to_pylist()]


def test_rows_come_back_by_bucket_and_in_order(storage: Storage) -> None:
    with Spill(storage, "spill", SCHEMA) as spill:
        spill.add(rows(5, 3, 4), np.array([1, 0, 1]))
        spill.add(rows(1), np.array([1]))
        spill.add(rows(), np.array([], int))
    assert [read(storage, bucket) for bucket in range(3)] == [[3], [5, 4, 1], []]


def test_what_nobody_set_aside_is_nothing(storage: Storage) -> None:
    assert read(storage, 0) == []
    with Spill(storage, "spill", SCHEMA) as spill:
        spill.add(rows(), np.array([], int))
    assert read(storage, 0) == []


def test_writers_do_not_get_in_each_others_way(storage: Storage) -> None:
    with Spill(storage, "spill", SCHEMA, "0") as first, Spill(storage, "spill", SCHEMA, "1") as second:
        second.add(rows(2, 3), np.array([0, 12]))
        first.add(rows(1), np.array([0]))
    assert read(storage, 0) == [1, 2]
    assert read(storage, 12) == [3]
    assert read(storage, 1) == []


def test_numbers_of_buckets_are_told_apart(storage: Storage) -> None:
    with Spill(storage, "spill", SCHEMA) as spill:
        spill.add(rows(1, 2, 3), np.array([1, 10, 1_000_000]))
    assert [read(storage, bucket) for bucket in (1, 10, 100, 1_000_000)] == [[1], [2], [], [3]]


def test_an_error_closes_the_files_and_is_not_hidden(storage: Storage) -> None:
    def broken() -> None:
        with Spill(storage, "spill", SCHEMA) as spill:
            spill.add(rows(1), np.array([0]))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert read(storage, 0) == []


@settings(max_examples=30, deadline=None)
@given(
    tables=st.lists(st.lists(st.integers(0, 150), max_size=20), max_size=6),
    at_once=st.integers(1, 40),
)
def test_whatever_is_set_aside_in_however_many_pieces(
    tmp_path_factory: pytest.TempPathFactory, tables: list[list[int]], at_once: int
) -> None:
    storage = DiskStorage(tmp_path_factory.mktemp("spill"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spill_module, "_ROWS_AT_ONCE", at_once)
        with Spill(storage, "spill", SCHEMA) as spill:
            start = 0
            for buckets in tables:
                numbers = range(start, start + len(buckets))
                start += len(buckets)
                spill.add(rows(*numbers), np.array(buckets, np.uint32))
    together = [bucket for buckets in tables for bucket in buckets]
    for wanted in {*together, 151}:
        assert read(storage, wanted) == [number for number, bucket in enumerate(together) if bucket == wanted]
