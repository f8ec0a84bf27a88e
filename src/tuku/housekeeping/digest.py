"""A digest of rows that does not depend on how they are cut into tables."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_NULL = -1  # in the place of a length


class RowsDigest:
    """Digest of a sequence of rows over all their columns: the same for the same values in the same order.

    Memory: none to speak of. Speed: that of BLAKE2b, about 1 GB/s.

    Args:
        schema: of the tables to come.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._columns = [_ColumnDigest(field.type) for field in schema]
        self._schema = schema
        self.rows = 0

    def add(self, table: pa.Table) -> None:
        """The next rows."""
        for digest, field in zip(self._columns, self._schema, strict=True):
            for chunk in table.column(field.name).chunks:
                digest.add(chunk)
        self.rows += table.num_rows

    def hexdigest(self) -> str:
        """Of all rows so far."""
        whole = hashlib.blake2b(str(self.rows).encode(), digest_size=16)
        for column in self._columns:
            whole.update(column.digest())
        return whole.hexdigest()


class _ColumnDigest:
    """Three streams, for none of which it matters where a chunk ends: what is null or how long, and the values."""

    def __init__(self, type_: pa.DataType) -> None:
        self._shape, self._values = hashlib.blake2b(), hashlib.blake2b()
        self._items = _ColumnDigest(type_.value_type) if pa.types.is_list(type_) else None

    def add(self, array: pa.Array) -> None:
        if self._items is not None:
            self._shape.update(_lengths(pc.list_value_length(array)))
            self._items.add(pc.list_flatten(array))
        elif pa.types.is_string(array.type):
            self._shape.update(_lengths(pc.binary_length(array)))
            self._values.update(_characters(array.drop_null()))
        else:
            self._shape.update(array.is_valid().to_numpy(zero_copy_only=False).tobytes())
            self._values.update(array.drop_null().to_numpy(zero_copy_only=False).tobytes())

    def digest(self) -> bytes:
        return self._shape.digest() + self._values.digest() + (self._items.digest() if self._items else b"")


def _lengths(lengths: pa.Array) -> bytes:
    filled: np.ndarray = lengths.fill_null(_NULL).to_numpy(zero_copy_only=False)
    return filled.astype("<i4").tobytes()


def _characters(texts: pa.Array) -> memoryview:
    """The bytes of texts none of which is null, one after the other."""
    _, offsets, characters = texts.buffers()
    if characters is None:
        return memoryview(b"")
    bounds = np.frombuffer(offsets, np.int32)
    return memoryview(characters)[bounds[texts.offset] : bounds[texts.offset + len(texts)]]
