"""Lake rows as the Parquet files that Milvus imports."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from tuku.milvus.fields import KEYWORDS, MAX_BYTES, Layout
from tuku.milvus.rows import scalar_columns, vector_matrix
from tuku.milvus.staging import staged_file
from tuku.typed_values import ValueType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tuku.storage import Storage

DYNAMIC = "$meta"
"""The column that Milvus takes for the dynamic fields: JSON text."""

_GROUP_BYTES = 8 * 1024 * 1024
_READ_BYTES = 1024 * 1024
_TYPES: dict[ValueType, pa.DataType] = {
    "varchar": pa.string(),
    "int64": pa.int64(),
    "double": pa.float64(),
    "bool": pa.bool_(),
}


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        rows: in it.
        size: bytes.
        sha256: of its content.
    """

    rows: int
    size: int
    sha256: str


def import_schema(layout: Layout) -> pa.Schema:
    """The columns of an import file, in the order of the collection's fields."""
    return pa.schema(
        [
            *((name, pa.string()) for name in MAX_BYTES),
            (KEYWORDS, pa.list_(pa.string())),
            *((name, pa.list_(pa.float32())) for name in layout.vectors),
            *((name, _TYPES[typed.kind]) for name, typed in layout.typed.items()),
            (DYNAMIC, pa.string()),
        ]
    )


def import_table(table: pa.Table, layout: Layout) -> pa.Table:
    """Rows in `schemas.IMAGES` as rows in `import_schema`: cut to the fields' limits, metadata as JSON.

    Raises:
        ConfigError: an id is longer than 512 bytes, a configured vector is missing, or a typed field's value is none.
        VectorSpaceError: a vector's length is not that of the layout.
    """
    columns: dict[str, Any]
    columns, dynamic = scalar_columns(table, layout)
    for name in layout.vectors:
        values = pa.array(vector_matrix(table, name, layout.dim).ravel())
        offsets = pa.array(range(0, len(values) + 1, layout.dim), pa.int32())
        columns[name] = pa.ListArray.from_arrays(offsets, values)
    columns[DYNAMIC] = [json.dumps(fields, ensure_ascii=False) for fields in dynamic]
    schema = import_schema(layout)
    return pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema)


def rows_per_file(first: pa.Table, layout: Layout, file_bytes: int) -> int:
    """How many rows like these make a file of about so many bytes."""
    sample = import_table(first, layout)
    return max(1, int(file_bytes * sample.num_rows // max(1, sample.nbytes)))


def cut_into(tables: Iterable[pa.Table], rows: int) -> Iterator[Iterator[pa.Table]]:
    """The same rows in parts of `rows` (the last may be shorter).

    A part is the tables that it is made of, one after the other, and is over when the next one is asked for.
    """
    source = iter(tables)
    held: list[pa.Table] = []

    def part() -> Iterator[pa.Table]:
        room = rows
        while room and (held or _take(source, held)):
            table = held.pop()
            if table.num_rows > room:
                held.append(table.slice(room))
            yield table.slice(0, room)
            room -= min(room, table.num_rows)

    while held or _take(source, held):
        this = part()
        yield this
        deque(this, maxlen=0)  # whoever did not want it has left it


def _take(source: Iterator[pa.Table], held: list[pa.Table]) -> bool:
    """Hold the next table that has rows, if there is one."""
    held.extend(islice((table for table in source if table.num_rows), 1))
    return bool(held)


def write_import_file(tables: Iterable[pa.Table], layout: Layout, storage: Storage, name: str) -> Exported:
    """Write one import file, some thousand rows at a time.

    Args:
        tables: rows in `schemas.IMAGES`.
        layout: of the collection.
        storage: where it goes; it is there when it is whole.
        name: of the file.

    Raises:
        ConfigError, VectorSpaceError: as `import_table`.
        StorageError, StoppedError: it cannot be written.
    """
    schema, rows = import_schema(layout), 0
    with staged_file(storage, name) as file:
        counted = _Counted(file)
        # Vectors do not compress, and a dictionary of them would only cost time.
        with pq.ParquetWriter(counted, schema, use_dictionary=False, compression="snappy") as writer:
            for table in tables:
                made = import_table(table, layout)
                group = max(1, _GROUP_BYTES * made.num_rows // max(1, made.nbytes))
                writer.write_table(made, row_group_size=group)
                rows += made.num_rows
        return Exported(rows, counted.size, counted.sha256.hexdigest())


def sha256_of(storage: Storage, name: str) -> str:
    """The digest of an import file, as `Exported` has it; empty if it cannot be read."""
    digest = hashlib.sha256()
    try:
        with pa.input_stream(storage.source(name), compression=None) as file:
            while piece := file.read(_READ_BYTES):
                digest.update(piece)
    except OSError:
        return ""
    return digest.hexdigest()


class _Counted:
    """A file for writing that knows what went through it."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = 0
        self.sha256 = hashlib.sha256()

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def tell(self) -> int:
        return self.size

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        """Whoever opened the file closes it."""
