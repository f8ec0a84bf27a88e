"""CSV and TSV manifests."""

from __future__ import annotations

import csv
from itertools import islice
from typing import TYPE_CHECKING

from tuku.errors import ManifestError, RowError
from tuku.stages.manifest_columns import Columns, find_columns
from tuku.stages.manifest_rows import RowBlock
from tuku.stages.manifest_text import UNREADABLE, Lines, read_error
from tuku.stages.manifest_values import Parser, cell_members, detect, join_members

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tuku.config import ManifestConfig
    from tuku.stages.manifest_source import ManifestSource

SAMPLE_ROWS = 1_000
"""So many rows decide which type a column has."""

Row = list[str]


def read_csv(source: ManifestSource, config: ManifestConfig, batch_rows: int) -> Iterator[RowBlock]:
    """The rows of a CSV or TSV manifest in blocks of `batch_rows`.

    Raises:
        ManifestError: no header, no uri column, or the file cannot be read to its end.
    """
    with source.open() as binary:
        reader = _Reader(source, Lines(binary, source.encoding))
        columns = find_columns(reader.header, config, source.uri)
        pending = reader.take(SAMPLE_ROWS)
        cells = list(zip(*pending, strict=True)) or [()] * len(reader.header)
        parsers = [
            None if name in {columns.uri, columns.id} else detect(column)
            for name, column in zip(reader.header, cells, strict=True)
        ]
        first_row = 1
        while pending := pending + reader.take(max(0, batch_rows - len(pending))):
            rows, pending = pending[:batch_rows], pending[batch_rows:]
            block = _block(rows, reader.header, parsers, columns)
            for row_number in [number for number in reader.failed if number < first_row + len(rows)]:
                block.fail(row_number - first_row, *reader.failed.pop(row_number))
            yield block
            first_row += len(rows)


def _block(rows: list[Row], header: Sequence[str], parsers: Sequence[Parser | None], columns: Columns) -> RowBlock:
    cells = dict(zip(header, zip(*rows, strict=True), strict=True))
    members = {name: cell_members(name, cells[name], parser) for name, parser in zip(header, parsers, strict=True)}
    metadata = [column for name, column in members.items() if name not in {columns.uri, columns.id}]
    return RowBlock(
        uris=list(cells[columns.uri]),
        ids=None if columns.id is None else list(cells[columns.id]),
        metadata=join_members(metadata, len(rows)),
        rows=join_members(list(members.values()), len(rows)),
    )


class _Reader:
    """Rows of equal width from lines; of the others an empty row keeps the place.

    Attributes:
        header: the columns' names.
        failed: why a row failed, and its text, by row number.
    """

    def __init__(self, source: ManifestSource, lines: Lines) -> None:
        self._source = source
        self._lines = lines
        self._delimiter = "\t" if source.format == "tsv" else ","
        # Strict: a quote that is never closed would else swallow the rows after it without a word.
        self._rows = csv.reader(lines, delimiter=self._delimiter, strict=True)
        self._taken = 0
        self.failed: dict[int, tuple[RowError, str]] = {}
        self.header = self._read_header()

    def _read_header(self) -> list[str]:
        uri = self._source.uri
        try:
            names = next((row for row in self._rows if any(map(str.strip, row))), None)
        except csv.Error as error:
            if "\0" in self._lines.current:  # csv accepts NULs from Python 3.11 on
                raise self._binary_header() from error
            raise ManifestError(
                f"The manifest {uri} has a malformed header: {error}.", "Correct its first line."
            ) from error
        except UNREADABLE as error:
            raise read_error(self._source, error, 0) from error
        if names is None:
            raise ManifestError(f"The manifest {uri} is empty.", "Its first line must name columns.")
        if any("\0" in name for name in names):
            raise self._binary_header()
        # Tables written with an index have a column without a name.
        return [name.strip() or f"column_{position}" for position, name in enumerate(names, start=1)]

    def _binary_header(self) -> ManifestError:
        return ManifestError(
            f"The manifest {self._source.uri} is not {self._source.encoding} text: NULs in its header.",
            "Name its encoding, such as `--set manifest.encoding=utf-16`.",
        )

    def take(self, count: int) -> list[Row]:
        """The next `count` rows; fewer only at the end."""
        rows: list[Row] = []
        while len(rows) < count:
            wanted = count - len(rows)
            fresh: list[Row] = []
            try:
                # What was appended before an exception stays.
                fresh.extend(islice(self._rows, wanted))
            except csv.Error as error:
                self._add(rows, fresh)
                self._fail(rows, RowError("invalid_row", f"Malformed row: {error}."), self._lines.current)
                continue
            except UNREADABLE as error:
                self._add(rows, fresh)
                raise read_error(self._source, error, self._taken + len(rows) + 1) from error
            self._add(rows, fresh)
            if len(fresh) < wanted:
                break
        self._taken += len(rows)
        return rows

    def _add(self, rows: list[Row], fresh: list[Row]) -> None:
        width = len(self.header)
        if set(map(len, fresh)) <= {width}:
            rows += fresh
            return
        for row in fresh:
            if len(row) == width:
                rows.append(row)
            elif any(map(str.strip, row)) or len(row) > 1:  # a blank line is no row
                message = f"The row has {len(row)} cells; the header has {width}."
                self._fail(rows, RowError("ragged_row", message), self._delimiter.join(row))

    def _fail(self, rows: list[Row], error: RowError, raw: str) -> None:
        rows.append([""] * len(self.header))
        self.failed[self._taken + len(rows)] = (error, raw)
