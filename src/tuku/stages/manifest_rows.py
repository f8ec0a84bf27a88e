"""From rows in any format to tables in `schemas.ROWS`: checks every id and URI, and fails the bad rows."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from tuku.errors import RowError
from tuku.schemas import OUTCOME, ROWS

STAGE = "manifest"
MAX_ID_BYTES = 512
MAX_RAW_CHARS = 2_000
_ID_CHARS = 32  # hex digits: 128 bits
_UTF8_BYTES_PER_CHAR = 4  # at most
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # as JSON escapes it


@dataclass
class RowBlock:
    """Some consecutive rows of a manifest, column by column; all lists have one entry a row.

    Attributes:
        uris: as they stand in the manifest; "" where there is none.
        ids: likewise; None where the manifest has no id column.
        metadata: JSON object texts.
        rows: JSON object texts of the whole rows.
        errors: the rows that could not be read, by position; their other entries are void.
    """

    uris: list[str]
    ids: list[str] | None
    metadata: list[str]
    rows: list[str]
    errors: dict[int, RowError] = field(default_factory=dict)


def raw_row(text: str) -> str:
    """JSON object text that holds what could be read of a row that is none."""
    text = text[:MAX_RAW_CHARS].encode("utf-8", "backslashreplace").decode()
    return json.dumps({"_raw": text}, ensure_ascii=False)


def to_table(
    block: RowBlock, manifest_uri: str, first_row: int, resolve: Callable[[str], str | RowError]
) -> pa.Table:
    """The block in `schemas.ROWS`; rows that fail keep their place and say why.

    Args:
        block: n rows.
        manifest_uri: goes into every row.
        first_row: row number of the first one; 1 is the first of the manifest.
        resolve: normalises a URI or says what is wrong with it.
    """
    _fail_unstorable(block)
    resolved = list(map(resolve, block.uris))
    errors = {position: uri for position, uri in enumerate(resolved) if isinstance(uri, RowError)} | block.errors
    uris = [uri if isinstance(uri, str) else "" for uri in resolved]
    if block.ids is None:
        ids = [_hash(uri) for uri in uris]
    else:
        ids = list(map(str.strip, block.ids))
        errors = _bad_ids(ids) | errors
    for position, error in errors.items():
        uri = block.uris[position].strip()
        # What was refused is shown as it stood, unless it is no text of a URI's size.
        shown = "" if error.code in {"uri_too_long", "missing_uri", "invalid_row"} or position in block.errors else uri
        uris[position] = uris[position] or shown
        has_id = block.ids is not None and position not in block.errors and position not in _bad_ids([ids[position]])
        ids[position] = ids[position] if has_id else _hash(f"{manifest_uri}#{first_row + position}")
    return pa.table(
        {
            "image_id": pa.array(ids, pa.string()),
            "uri": pa.array(uris, pa.string()),
            "metadata": pa.array(block.metadata, pa.string()),
            "source_fingerprint": pa.nulls(len(ids), pa.string()),
            "manifest_uri": pa.repeat(pa.scalar(manifest_uri, pa.string()), len(ids)),
            "row_number": pa.array(range(first_row, first_row + len(ids)), pa.int64()),
            "manifest_row": pa.array(block.rows, pa.string()),
            **_outcomes(len(ids), errors),
        },
        schema=ROWS,
    )
