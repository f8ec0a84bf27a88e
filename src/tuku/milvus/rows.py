"""Lake rows as Milvus rows: cut to the fields' limits, metadata under names that Milvus can filter by."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tuku.errors import ConfigError, VectorSpaceError
from tuku.metadata_names import named_fields
from tuku.milvus.fields import (
    ID,
    KEYWORDS,
    LAKE_COLUMN,
    MAX_BYTES,
    MAX_KEYWORD_BYTES,
    MAX_KEYWORDS,
    MAX_METADATA_BYTES,
    Layout,
)
from tuku.milvus.typed import typed_value

logger = logging.getLogger(__name__)

_METADATA = "metadata"
_SHOWN = 80
_SHOWN_FIELDS = 3
SCALAR_COLUMNS = [*(LAKE_COLUMN.get(name, name) for name in MAX_BYTES), KEYWORDS, _METADATA]
"""The lake's columns that `scalar_columns` reads: vectors, most of a row's weight, are not among them."""


def milvus_rows(table: pa.Table, layout: Layout) -> list[dict[str, Any]]:
    """The n rows in `schemas.IMAGES` as n rows for pymilvus; vectors stay float32 (dim,) views.

    Raises:
        ConfigError: an id is longer than 512 bytes, a configured vector is missing, or a typed field's value is none.
        VectorSpaceError: a vector's length is not that of the layout.
    """
    columns, dynamic = scalar_columns(table, layout)
    for name in layout.vectors:
        columns[name] = list(vector_matrix(table, name, layout.dim))
    names = list(columns)
    rows = [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    for row, others in zip(rows, dynamic, strict=True):
        row.update(others)
    return rows


def scalar_columns(table: pa.Table, layout: Layout) -> tuple[dict[str, Sequence[Any]], list[dict[str, Any]]]:
    """All that is no vector, of n rows (`SCALAR_COLUMNS`): fields by name, n values each, and n rows' dynamic fields.

    Raises:
        ConfigError: as `milvus_rows`.
    """
    columns: dict[str, Sequence[Any]] = {name: _texts(table, name) for name in MAX_BYTES}
    columns[KEYWORDS] = [_keywords(words) for words in table.column(KEYWORDS).to_pylist()]
    texts = table.column(_METADATA).to_pylist()
    fields = [named_fields(json.loads(text)) if text else {} for text in texts]
    for name, typed in layout.typed.items():
        columns[name] = [
            typed_value(row.pop(name, None), name, typed, image_id)
            for row, image_id in zip(fields, columns[ID], strict=True)
        ]
    return columns, [within_limit(row) for row in fields]


def vector_matrix(table: pa.Table, name: str, dim: int) -> npt.NDArray[np.float32]:
    """A vector column as float32 (n, dim), without copying where Arrow allows it."""
    column: Any = table.column(name).combine_chunks()
    if column.null_count:
        raise ConfigError(
            f"{column.null_count} rows of the lake have no {name}, which milvus.vectors asks for.",
            "Ingest them again with these milvus.vectors, or take the field out of milvus.vectors.",
        )
    if set(pc.list_value_length(column).unique().to_pylist()) - {dim}:
        raise VectorSpaceError(
            f"The lake holds vectors in {name} whose length is not {dim}.",
            "They come from another model: run `tuku ingest` again with the present one.",
        )
    return np.asarray(column.flatten(), dtype=np.float32).reshape(len(column), dim)


def cut(text: str, max_bytes: int) -> str:
    """The longest beginning of a text that is at most `max_bytes` of UTF-8; never half a character."""
    if len(text) * 4 <= max_bytes:
        return text
    data = text.encode()
    return text if len(data) <= max_bytes else data[:max_bytes].decode(errors="ignore")


def within_limit(fields: dict[str, Any]) -> dict[str, Any]:
    """Dynamic fields that Milvus takes together: the largest ones are left out, with one warning."""
    # No character of str() becomes more than 4 bytes of JSON, and most metadata is far below the limit.
    if len(str(fields)) * 4 <= MAX_METADATA_BYTES:
        return fields
    sizes = {name: len(json.dumps({name: value}, ensure_ascii=False).encode()) for name, value in fields.items()}
    excess = sum(sizes.values()) - MAX_METADATA_BYTES
    left_out: list[str] = []
    for name in sorted(sizes, key=lambda name: sizes[name], reverse=True):
        if excess <= 0:
            break
        excess -= sizes[name]
        left_out.append(name)
        del fields[name]
    if left_out:
        shown = ", ".join(f"{name[:_SHOWN]!r} ({sizes[name]:,} bytes)" for name in left_out[:_SHOWN_FIELDS])
        others = f" and {len(left_out) - _SHOWN_FIELDS:,} others" if len(left_out) > _SHOWN_FIELDS else ""
        logger.warning("metadata stay in the lake only, too large for Milvus: %s%s", shown, others)
    return fields


def _texts(table: pa.Table, field: str) -> list[str]:
    values = table.column(LAKE_COLUMN.get(field, field)).to_pylist()
    if field == ID:
        return [_checked_id(str(value)) for value in values]
    return [cut(value or "", MAX_BYTES[field]) for value in values]


def _checked_id(value: str) -> str:
    if len(value.encode()) > MAX_BYTES[ID]:
        raise ConfigError(
            f"The id {value[:60]!r}… is longer than {MAX_BYTES[ID]} bytes, the most that Milvus' key holds.",
            "Use shorter ids in the manifest, or none: then they are made from the uri.",
        )
    return value


def _keywords(words: Sequence[str] | None) -> list[str]:
    return [cut(word, MAX_KEYWORD_BYTES) for word in (words or [])[:MAX_KEYWORDS] if word]
