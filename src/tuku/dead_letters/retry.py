"""Dead letters as rows of a manifest again, for `tuku retry`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from tuku import units
from tuku.dead_letters.listing import DeadLetterList
from tuku.dead_letters.standing import ALL, DeadLetters, Selection
from tuku.lake import Lake
from tuku.schemas import MANIFEST_ROW, ROWS

UNREADY = ("manifest", "plan")
"""Stages that fail a row for what stands in the manifest: no retry helps it, only another manifest."""

_KEPT = {"image_id", "uri", "metadata", *(field.name for field in MANIFEST_ROW)}


@dataclass
class RowsToRetry:
    """The rows of the dead letters that stand.

    Args:
        lake: where the dead letters are.
        selection: which of them are wanted.
    """

    lake: Lake
    selection: Selection = ALL
    _left_out: Counter[str] = field(default_factory=Counter, init=False)
    _found: bool = field(default=False, init=False)

    def tables(self) -> Iterator[pa.Table]:
        """The rows as they were before they were worked; no id comes twice.

        Yields:
            Tables in schema `ROWS`, as `read_manifest` gives them: `source_fingerprint` and the outcome are null.

        Raises:
            StorageError: a file of the lake is missing or damaged; it names the file.
        """
        for letters in DeadLetters.of(self.lake).batches(selection=self.selection):
            self._found = True
            unready = pc.is_in(letters.column("stage"), value_set=pa.array(UNREADY))
            self._left_out.update(letters.filter(unready).column("code").to_pylist())
            rows = letters.filter(pc.invert(unready))
            if rows.num_rows:
                yield _as_read(rows)

    def warnings(self) -> Iterator[str]:
        """What people should know, once the tables have been read."""
        if self._left_out:
            codes = ", ".join(f"{code} {rows:,}" for code, rows in self._left_out.most_common())
            yield (
                f"{units.plural(self._left_out.total(), 'row')} cannot be helped by trying again ({codes}): mend the"
                " manifest. `tuku errors --rows` lists them."
            )
        if not self._found and self.selection != ALL:
            listed = DeadLetterList.of(DeadLetters.of(self.lake), self.lake.storage.uri, ALL, examples=0)
            known = ", ".join(f"{kind.code} at {kind.stage} ({kind.rows:,})" for kind in listed.kinds)
            yield f"No row has failed{self.selection}. Rows that have: {known or 'none'}."


def _as_read(letters: pa.Table) -> pa.Table:
    count = letters.num_rows
    columns = [letters.column(each.name) if each.name in _KEPT else pa.nulls(count, each.type) for each in ROWS]
    return pa.table(columns, schema=ROWS)
