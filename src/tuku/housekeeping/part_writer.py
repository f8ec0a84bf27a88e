"""Writes images into part files of a given size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count

import pyarrow as pa
import pyarrow.parquet as pq

from tuku.run import Run
from tuku.schemas import IMAGES

GROUP_BYTES = 32_000_000
"""Of a row group, in memory: what is held at a time."""


def write_parts(run: Run, tables: Iterable[pa.Table], part_bytes: int, before_each: Callable[[], None]) -> None:
    """Write the images of a run, all of them, in files that are as large as they may be.

    Args:
        run: not committed.
        tables: schema `IMAGES`.
        part_bytes: most bytes of a file, unless a single row group is larger.
        before_each: called before each file.
    """
    groups = _row_groups(tables, min(GROUP_BYTES, max(1, part_bytes // 4)))
    for number in count():
        group = next(groups, None)
        if group is None:
            return
        before_each()
        name = f"{run.folder}/parts/part-{number:06d}.parquet"
        with run.storage.atomic(name) as file, pq.ParquetWriter(file, IMAGES, compression="zstd") as writer:
            largest = 0
            while group is not None:
                start = file.tell()
                writer.write_table(group)
                largest = max(largest, file.tell() - start)
                group = next(groups, None) if file.tell() + largest <= part_bytes else None


def _row_groups(tables: Iterable[pa.Table], group_bytes: int) -> Iterator[pa.Table]:
    waiting: list[pa.Table] = []
    size = 0
    for table in tables:
        waiting.append(table)
        size += table.nbytes
        if size >= group_bytes:
            yield pa.concat_tables(waiting)
            waiting, size = [], 0
    if waiting:
        yield pa.concat_tables(waiting)
