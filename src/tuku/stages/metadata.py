"""Rows whose metadata the collection could not hold become dead letters before anything is paid for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tuku.errors import RowError
from tuku.metadata_names import named_fields
from tuku.schemas import ROWS
from tuku.stages.manifest_rows import STAGE
from tuku.stages.outcome import Outcome, advance, alive
from tuku.typed_values import ValueType, fitting, misfit

if TYPE_CHECKING:
    import pyarrow as pa


def check_metadata(rows: pa.Table, typed: Mapping[str, ValueType]) -> pa.Table:
    """Fail the rows that have a value of another type than its column shall have; one may be missing.

    Args:
        rows: in `schemas.ROWS`.
        typed: types by column, as `milvus.indexed_metadata` has them.

    Returns:
        The same rows, in `schemas.ROWS`.
    """
    if not typed:
        return rows
    positions = alive(rows)
    texts = rows.column("metadata").to_pylist()
    return advance(rows, STAGE, ROWS, positions, [_checked(texts[position], typed) for position in positions])


def _checked(metadata: str | None, typed: Mapping[str, ValueType]) -> Outcome:
    values = named_fields(json.loads(metadata or "{}"))
    for name, wanted in typed.items():
        value = values.get(name)
        if value is not None and fitting(value, wanted) is None:
            return RowError("wrong_type", f"The row has {misfit(name, value, wanted)} in milvus.indexed_metadata.")
    return {}
