"""From rows in any format to tables in `schemas.ROWS`: checks every id and URI, and fails the bad rows."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tuku.errors import RowError
from tuku.schemas import ROWS
from tuku.stages.manifest_uri import MAX_URI_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

STAGE = "manifest"
MAX_ID_BYTES = 512
MAX_RAW_CHARS = 2_000
_ID_DIGITS = 32  # hexadecimal: 128 bits
_UTF8_BYTES_PER_CHAR = 4  # at most
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # as JSON escapes it


@dataclass
class RowBlock:
    """Some consecutive rows of a manifest, column by column; all lists have one entry a row.

    Attributes:
        uris: as they stand in the manifest; "" where there is none.
        ids: likewise; None if the manifest has no id column.
        metadata: JSON object texts.
        rows: JSON object texts of the whole rows.
        sources: source fingerprints, where the manifest itself says what its pictures are told by.
        errors: the rows that could not be read, by position; their other entries are void.
    """

    uris: list[str]
    ids: list[str] | None
    metadata: list[str]
    rows: list[str]
    sources: list[str | None] | None = None
    errors: dict[int, RowError] = field(default_factory=dict)

    def fail(self, position: int, error: RowError, raw: str) -> None:
        """Makes a row void, but for `raw`: what could be read of it."""
        self.errors[position] = error
        self.uris[position] = ""
        if self.ids is not None:
            self.ids[position] = ""
        self.metadata[position] = "{}"
        text = raw[:MAX_RAW_CHARS].encode("utf-8", "backslashreplace").decode()
        self.rows[position] = json.dumps({"_raw": text}, ensure_ascii=False)


def to_table(block: RowBlock, manifest_uri: str, first_row: int, resolve: Callable[[str], str | RowError]) -> pa.Table:
    """The block in `schemas.ROWS`; rows that fail keep their place and say why.

    Args:
        block: n rows; those that cannot be stored are made void.
        manifest_uri: goes into every row.
        first_row: row number of the first one; 1 is the first of the manifest.
        resolve: normalises a URI or says what is wrong with it.
    """
    _fail_unstorable(block)
    uris, errors = _resolve_uris(block, resolve)
    ids = _find_ids(block, uris, errors, f"{manifest_uri}#", first_row)
    count, sources = len(ids), block.sources
    columns = {
        "image_id": pa.array(ids, pa.string()),
        "uri": pa.array(uris, pa.string()),
        "metadata": pa.array(block.metadata, pa.string()),
        "source_fingerprint": pa.nulls(count, pa.string()) if sources is None else pa.array(sources, pa.string()),
        "manifest_uri": pa.repeat(pa.scalar(manifest_uri, pa.string()), count),
        "row_number": pa.array(np.arange(first_row, first_row + count)),
        "manifest_row": pa.array(block.rows, pa.string()),
        **_outcome_columns(count, errors),
    }
    return pa.table(columns, schema=ROWS)


def _fail_unstorable(block: RowBlock) -> None:
    """Fails rows with NUL characters, and with text that is no Unicode (half a surrogate pair)."""
    together = "".join(block.rows)  # looked at once, as nearly always all is well
    if _is_unicode(together) and "\\u0000" not in together:
        return
    for position, text in enumerate(block.rows):
        if not _is_unicode(text):
            error = RowError("invalid_row", "The row contains text that is not valid Unicode.")
            block.fail(position, error, text)
        elif _NUL.search(text):
            block.fail(position, RowError("invalid_row", "The row contains a NUL character."), text)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _resolve_uris(block: RowBlock, resolve: Callable[[str], str | RowError]) -> tuple[list[str], dict[int, RowError]]:
    resolved = list(map(resolve, block.uris))
    errors = {position: uri for position, uri in enumerate(resolved) if isinstance(uri, RowError)}
    uris = [uri if isinstance(uri, str) else "" for uri in resolved]
    for position in errors:
        # A refused URI is shown as it stood, unless it is no text of a URI's size.
        written = block.uris[position].strip()
        uris[position] = written if len(written.encode()) <= MAX_URI_BYTES else ""
    return uris, errors | block.errors


def _find_ids(block: RowBlock, uris: list[str], errors: dict[int, RowError], prefix: str, first_row: int) -> list[str]:
    """One id a row. Rows without one are added to `errors`, and named after the manifest and their place."""
    if block.ids is None:
        ids = list(map(_hash, uris))
        nameless = set(errors)
    else:
        ids = list(map(str.strip, block.ids))
        bad = {position: error for position, id_ in enumerate(ids) if (error := _id_error(id_)) is not None}
        nameless = set(bad)
        errors.update({position: error for position, error in bad.items() if position not in errors})
    for position in nameless:
        ids[position] = _hash(f"{prefix}{first_row + position}")
    return ids


def _id_error(id_: str) -> RowError | None:
    if not id_:
        return RowError("missing_id", "The row has no id, though the manifest has a column for it.")
    if not id_.isprintable() and any(unicodedata.category(character) == "Cc" for character in id_):
        return RowError("invalid_id", "The id has control characters, which no database filter takes.")
    if len(id_) * _UTF8_BYTES_PER_CHAR > MAX_ID_BYTES:
        size = len(id_.encode())
        if size > MAX_ID_BYTES:
            return RowError("id_too_long", f"The id has {size} bytes; at most {MAX_ID_BYTES} are allowed.")
    return None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_DIGITS]


def _outcome_columns(count: int, errors: dict[int, RowError]) -> dict[str, Any]:
    columns = {}
    for name in ("stage", *(column.name for column in fields(RowError))):
        if not errors:
            columns[name] = pa.nulls(count, ROWS.field(name).type)
            continue
        values: list[Any] = [None] * count
        for position, error in errors.items():
            values[position] = STAGE if name == "stage" else getattr(error, name)
        columns[name] = pa.array(values, ROWS.field(name).type)
    return columns
