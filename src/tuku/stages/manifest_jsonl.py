"""JSON Lines manifests."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any

from tuku.errors import ManifestError, RowError
from tuku.stages.manifest_columns import Columns, find_columns
from tuku.stages.manifest_rows import RowBlock
from tuku.stages.manifest_text import UNREADABLE, Lines, read_error
from tuku.stages.manifest_values import parse_int, row_members

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tuku.config import ManifestConfig
    from tuku.stages.manifest_source import ManifestSource

SAMPLE_ROWS = 1_000
"""The keys of so many rows are searched for the columns with a role."""

Row = dict[str, Any] | tuple[RowError, str]
"""What a line holds, or why it could not be read and its text."""

# NaN and Infinity, which JSON does not have, become null; integers beyond int64 stay text.
_decode = json.JSONDecoder(
    parse_constant=lambda _: None, parse_int=lambda text: int(text) if parse_int(text) else _odd_int(text)
).decode


def read_jsonl(source: ManifestSource, config: ManifestConfig, batch_rows: int) -> Iterator[RowBlock]:
    """The rows of a JSON Lines manifest in blocks of `batch_rows`; values keep their JSON types.

    Raises:
        ManifestError: no JSON object or no uri among the first rows, or the file cannot be read to its end.
    """
    with source.open() as binary:
        rows = _parse(source, Lines(binary, source.encoding))
        pending = list(islice(rows, SAMPLE_ROWS))
        columns = _find_columns(source, config, pending)
        while pending := pending + list(islice(rows, max(0, batch_rows - len(pending)))):
            yield _block(pending[:batch_rows], columns)
            pending = pending[batch_rows:]


def _parse(source: ManifestSource, lines: Lines) -> Iterator[Row]:
    row = 1
    try:
        for line in lines:
            if not line.isspace():
                yield _parse_line(line)
                row += 1
    except UNREADABLE as error:
        raise read_error(source, error, row) from error


def _parse_line(line: str) -> Row:
    try:
        value = _decode(line)
    except json.JSONDecodeError as error:
        return RowError("invalid_json", f"The line is not JSON: {error.msg} at character {error.pos + 1}."), line
    except RecursionError:
        return RowError("invalid_json", "The line is nested too deeply."), line
    if not isinstance(value, dict):
        return RowError("invalid_json", "The line is not a JSON object."), line
    return value


def _odd_int(text: str) -> int | str:
    return 0 if text == "-0" else text


def _find_columns(source: ManifestSource, config: ManifestConfig, sample: list[Row]) -> Columns:
    if not sample:
        raise ManifestError(f"The manifest {source.uri} is empty.", "Write one JSON object a line into it.")
    objects = [row for row in sample if isinstance(row, dict)]
    if not objects:
        raise ManifestError(
            f"The manifest {source.uri} has no JSON object among its first {len(sample)} lines.",
            "JSON Lines has one object a line, without a list around them.",
        )
    return find_columns(list(dict.fromkeys(key for row in objects for key in row)), config, source.uri)


def _block(rows: list[Row], columns: Columns) -> RowBlock:
    count = len(rows)
    block = RowBlock([""] * count, [""] * count if columns.id else None, ["{}"] * count, ["{}"] * count)
    for position, row in enumerate(rows):
        if isinstance(row, tuple):
            block.fail(position, *row)
        else:
            _fill(block, position, row, columns)
    return block


def _fill(block: RowBlock, position: int, row: dict[str, Any], columns: Columns) -> None:
    try:
        members = row_members(row)
    except RecursionError:
        block.fail(position, RowError("invalid_json", "The line is nested too deeply."), "")
        return
    block.rows[position] = f"{{{', '.join(members.values())}}}"
    uri = row.get(columns.uri)
    id_ = row.get(columns.id) if columns.id else None
    wrong = [
        f"{name} is {type(value).__name__}"
        for name, value, kinds in ((columns.uri, uri, str), (columns.id, id_, (str, int)))
        if value is not None and (not isinstance(value, kinds) or isinstance(value, bool))
    ]
    if wrong:
        error = RowError("invalid_row", f"Wrong type: {', '.join(wrong)}; it must be text.")
        block.fail(position, error, block.rows[position])
        return
    metadata = (text for name, text in members.items() if name not in {columns.uri, columns.id})
    block.metadata[position] = f"{{{', '.join(metadata)}}}"
    block.uris[position] = uri or ""
    if block.ids is not None:
        block.ids[position] = "" if id_ is None else str(id_)
