"""Dead letters as rows of a manifest again, for `tuku retry`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from tuku.dead_letters.standing import DeadLetters, Selection
from tuku.lake import Lake
from tuku.schemas import MANIFEST_ROW, ROWS

UNREADY = ("manifest", "plan")
"""Stages that fail a row for what stands in the manifest: no retry helps it, only another manifest."""

_KEPT = {"image_id", "uri", "metadata", *(field.name for field in MANIFEST_ROW)}


def rows_to_retry(
    lake: Lake, reason: str | None = None, stage: str | None = None, left_out: Counter[str] | None = None
) -> Iterator[pa.Table]:
    """The rows of the dead letters that stand, as they were before they were worked; no id comes twice.

    Args:
        lake: where the dead letters are.
        reason: only those with this code.
        stage: only those of this stage.
        left_out: counts, by code and while the rows are read, those that no retry can help (see `UNREADY`).

    Yields:
        Tables in schema `ROWS`, as `read_manifest` gives them: `source_fingerprint` and the outcome are null.

    Raises:
        StorageError: a file of the lake is missing or damaged; it names the file.
    """
    for letters in DeadLetters.of(lake).batches(selection=Selection(reason, stage)):
        unready = pc.is_in(letters.column("stage"), value_set=pa.array(UNREADY))
        if left_out is not None:
            left_out.update(letters.filter(unready).column("code").to_pylist())
        rows = letters.filter(pc.invert(unready))
        if rows.num_rows:
            yield _as_read(rows)


def _as_read(letters: pa.Table) -> pa.Table:
    count = letters.num_rows
    columns = [letters.column(each.name) if each.name in _KEPT else pa.nulls(count, each.type) for each in ROWS]
    return pa.table(columns, schema=ROWS)
