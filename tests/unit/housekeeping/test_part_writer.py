"""Files are as large as they may be, whatever the tables are like that the rows come in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fakes.tables import image_rows
from tuku.housekeeping.part_writer import write_parts
from tuku.lake import Lake

ROWS, DIM = 600, 256


@pytest.fixture(scope="module")
def images() -> pa.Table:
    """About 1 kB each, and none that could be compressed."""
    vectors = np.random.default_rng(0).normal(size=(ROWS, DIM)).astype(np.float32)
    return image_rows(*({"image_embedding": vector} for vector in vectors))


@pytest.mark.parametrize("table_rows", [1, 37, ROWS])
def test_rows_are_kept_in_order_in_full_files(tmp_path: Path, images: pa.Table, table_rows: int) -> None:
    run, _ = Lake.at(str(tmp_path)).begin()
    tables = (images.slice(start, table_rows) for start in range(0, ROWS, table_rows))
    calls: list[int] = []
    write_parts(run, tables, 100_000, lambda: calls.append(len(run.parts())))
    names = run.parts()
    assert calls == list(range(len(names)))
    assert pa.concat_tables(pq.read_table(run.storage.path(name)) for name in names).equals(images)
    sizes = [run.storage.size(name) for name in names]
    if table_rows < ROWS:
        assert min(sizes[:-1]) > 50_000
        assert max(sizes) < 115_000  # a footer is not counted
    else:
        assert len(names) == 1  # a table is not cut


def test_no_rows_are_no_files(tmp_path: Path) -> None:
    run, _ = Lake.at(str(tmp_path)).begin()
    write_parts(run, iter(()), 100_000, lambda: None)
    assert not run.begun
