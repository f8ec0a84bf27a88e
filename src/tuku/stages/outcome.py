"""How a stage records what became of each row: the values it adds, or why the row failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tuku.errors import RowError
from tuku.schemas import OUTCOME


@dataclass(frozen=True)
class Partial:
    """A row that failed, and what it had gained by then."""

    error: RowError
    gained: Mapping[str, Any]


Outcome = Mapping[str, Any] | RowError | Partial


def alive(batch: pa.Table) -> list[int]:
    """Positions of the rows that no stage has failed yet."""
    codes = batch.column("code")
    if codes.null_count == len(codes):
        return list(range(len(codes)))
    return [position for position, code in enumerate(codes.to_pylist()) if code is None]


def advance(
    batch: pa.Table, stage: str, schema: pa.Schema, positions: Sequence[int], outcomes: Iterable[Outcome]
) -> pa.Table:
    """The batch in the next stage's schema.

    Args:
        batch: n rows in the stage's input schema.
        stage: name that goes into the dead letters.
        schema: the stage's output schema; its columns that the batch lacks come from the outcomes.
        positions: the rows that were worked on, as `alive` gave them.
        outcomes: for each of them the values it gains (columns the batch has may be replaced), or why it failed.

    Returns:
        n rows in `schema`, in the same order; rows not worked on gain nulls.
    """
    gained: list[Mapping[str, Any]] = [{}] * batch.num_rows
    failed: dict[int, RowError] = {}
    for position, outcome in zip(positions, outcomes, strict=True):
        if isinstance(outcome, RowError):
            failed[position] = outcome
        elif isinstance(outcome, Partial):
            failed[position], gained[position] = outcome.error, outcome.gained
        else:
            gained[position] = outcome
    replaced = {name for values in gained for name in values if name in batch.column_names}
    columns: dict[str, pa.ChunkedArray | pa.Array] = {}
    for field in schema:
        if field.name in replaced:
            old = batch.column(field.name).to_pylist()
            values = [row.get(field.name, old[i]) for i, row in enumerate(gained)]
            columns[field.name] = pa.array(values, type=field.type)
        elif field.name in batch.column_names:
            columns[field.name] = batch.column(field.name)
        else:
            columns[field.name] = pa.array([row.get(field.name) for row in gained], type=field.type)
    if failed:
        columns.update(_with_failures(batch, stage, failed))
    return pa.table(columns, schema=schema)


def _with_failures(batch: pa.Table, stage: str, failed: Mapping[int, RowError]) -> dict[str, pa.Array]:
    columns = {}
    for field in OUTCOME:
        values = batch.column(field.name).to_pylist()
        for position, error in failed.items():
            values[position] = stage if field.name == "stage" else getattr(error, field.name)
        columns[field.name] = pa.array(values, type=field.type)
    return columns
