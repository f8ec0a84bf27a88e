"""Parquet manifests."""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from tuku.errors import ManifestError
from tuku.stages.manifest_columns import Columns, find_columns
from tuku.stages.manifest_rows import RowBlock
from tuku.stages.manifest_values import join_members, value_members

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tuku.config import ManifestConfig
    from tuku.stages.manifest_source import ManifestSource

_ZERO_FRACTION = re.compile(r"\.0+(?=Z?$)")


def read_parquet(source: ManifestSource, config: ManifestConfig, batch_rows: int) -> Iterator[RowBlock]:
    """The rows of a Parquet manifest in blocks of at most `batch_rows`; binary columns are not read.

    Raises:
        ManifestError: no uri column of text, or the file is broken.
    """
    rows = 0
    with ExitStack() as stack:
        try:
            file = stack.enter_context(source.open())
            if not file.seekable():
                file = stack.enter_context(_spool(file))
            # Without pre-buffering, only the pages that are needed are held, not whole row groups.
            parquet = pq.ParquetFile(file, pre_buffer=False)
            columns = _check_columns(source, config, parquet.schema_arrow)
            names = [field.name for field in parquet.schema_arrow if not _is_binary(field.type)]
            for batch in parquet.iter_batches(batch_size=batch_rows, columns=names):
                if batch.num_rows:
                    yield _block(batch, columns)
                rows += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            where = f"after row {rows}" if rows else "at its start"
            raise ManifestError(
                f"The manifest {source.uri} is not a whole Parquet file: reading ended {where}.",
                "Copy or write it again.",
            ) from error


def _spool(stream: BinaryIO) -> BinaryIO:
    """The stream's copy on disk: Parquet is read from its end."""
    copy = tempfile.TemporaryFile(prefix="tuku-manifest-")  # noqa: SIM115  # the caller closes it
    shutil.copyfileobj(stream, copy, 1024 * 1024)
    copy.seek(0)
    return cast("BinaryIO", copy)


def _check_columns(source: ManifestSource, config: ManifestConfig, schema: pa.Schema) -> Columns:
    columns = find_columns(schema.names, config, source.uri)
    for key, name in (("manifest.uri_column", columns.uri), ("manifest.id_column", columns.id)):
        if name is None:
            continue
        kind = _value_type(schema.field(name).type)
        if not (_is_text(kind) or (name == columns.id and pa.types.is_integer(kind))):
            raise ManifestError(
                f"The column {name!r} of the manifest {source.uri} is {kind}, not text.",
                f"Name another one: `--set {key}=…`.",
            )
    return columns


def _value_type(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.BaseExtensionType):
        return _value_type(kind.storage_type)
    return _value_type(kind.value_type) if pa.types.is_dictionary(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_binary(kind: pa.DataType) -> bool:
    kind = _value_type(kind)
    checks = (
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_fixed_size_binary,
        pa.types.is_binary_view,
    )
    return any(check(kind) for check in checks)


def _block(batch: pa.RecordBatch, columns: Columns) -> RowBlock:
    values = {name: _values(batch.column(name)) for name in batch.schema.names}
    members = {name: value_members(name, column) for name, column in values.items()}
    ids = None if columns.id is None else ["" if value is None else str(value) for value in values[columns.id]]
    metadata = [column for name, column in members.items() if name not in {columns.uri, columns.id}]
    return RowBlock(
        uris=[value or "" for value in values[columns.uri]],
        ids=ids,
        metadata=join_members(metadata, batch.num_rows),
        rows=join_members(list(members.values()), batch.num_rows),
    )


def _values(column: pa.Array[Any]) -> list[Any]:
    """The column's Python values; text that is not UTF-8 keeps marks by which its row is failed later."""
    kind = column.type
    if isinstance(column, pa.ExtensionArray):
        return _values(column.storage)
    if pa.types.is_dictionary(kind):
        return _values(column.cast(kind.value_type))
    if pa.types.is_float32(kind) or pa.types.is_float16(kind):
        # Through text: 0.1 in float32 is meant as 0.1, not as 0.10000000149011612.
        return [None if text is None else float(text) for text in column.cast(pa.string()).to_pylist()]
    if pa.types.is_timestamp(kind):
        return _timestamps(column)
    return _plain_values(column)


def _plain_values(column: pa.Array[Any]) -> list[Any]:
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        raw = column.cast(pa.large_binary()).to_pylist()
        return [None if item is None else item.decode("utf-8", "surrogateescape") for item in raw]
    except (ValueError, OverflowError):
        # A date outside Python's years 1 to 9999.
        return list(column.cast(pa.string()).to_pylist())


def _timestamps(column: pa.Array[Any]) -> list[str | None]:
    """ISO 8601 text, in UTC (``Z``) where the column has a time zone."""
    if column.type.tz is not None:
        column = column.cast(pa.timestamp(column.type.unit, tz="UTC"))
    texts = column.cast(pa.string()).to_pylist()
    return [None if text is None else _ZERO_FRACTION.sub("", text.replace(" ", "T")) for text in texts]
