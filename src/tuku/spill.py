"""Tables set aside on disk in buckets, so that each bucket can be looked at as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tuku.storage import Storage

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

_ROWS_AT_ONCE = 65_536
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


class Spill:
    """Sets rows of one schema aside. One writer; others may write into the same folder under other names.

    Args:
        storage: where to; a folder that goes away when all is read.
        folder: relative to it.
        schema: of all tables.
        writer: distinguishes this one from others that write into the folder.
    """

    def __init__(self, storage: Storage, folder: str, schema: pa.Schema, writer: str = "0") -> None:
        self._storage, self._folder, self._schema, self._writer = storage, folder, schema, writer
        self._files: dict[int, pa.ipc.RecordBatchFileWriter] = {}
        self._open = ExitStack()
        self._waiting: list[pa.Table] = []
        self._buckets: list[np.ndarray] = []
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        self._open.__exit__(kind, error, trace)

    def add(self, table: pa.Table, buckets: np.ndarray) -> None:
        """Set n rows aside, each into its bucket: integers (n,). Within a bucket they keep their order."""
        self._waiting.append(table)
        self._buckets.append(buckets)
        self._rows += table.num_rows
        if self._rows >= _ROWS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        if not self._rows:
            return
        table, buckets = pa.concat_tables(self._waiting), np.concatenate(self._buckets)
        self._waiting, self._buckets, self._rows = [], [], 0
        order = np.argsort(buckets, kind="stable")
        table, buckets = table.take(pa.array(order)), buckets[order]
        present, starts = np.unique(buckets, return_index=True)
        for bucket, start, end in zip(present, starts, [*starts[1:], len(buckets)], strict=True):
            self._file(int(bucket)).write_table(table.slice(start, end - start).combine_chunks())

    def _file(self, bucket: int) -> pa.ipc.RecordBatchFileWriter:
        file = self._files.get(bucket)
        if file is None:
            name = f"{self._folder}/{bucket:06d}-{self._writer}.arrow"
            sink = self._open.enter_context(self._storage.atomic(name, durable=False))
            file = self._open.enter_context(pa.ipc.new_file(sink, self._schema, options=_OPTIONS))
            self._files[bucket] = file
        return file


def spilled(storage: Storage, folder: str, bucket: int) -> Iterator[pa.Table]:
    """What all writers have set aside in a bucket, writer by writer; nothing if there is none."""
    for name in storage.files(folder, ".arrow"):
        if name.startswith(f"{folder}/{bucket:06d}-"):
            with pa.ipc.open_file(storage.source(name)) as file:
                for number in range(file.num_record_batches):
                    yield pa.Table.from_batches([file.get_batch(number)])
