"""Write: rows that succeeded go to the lake's parts, the others to its dead letters."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from tuku.schemas import DEAD_LETTERS, IMAGES


class Sink(Protocol):
    """Where results become durable; both calls replace what the same rows wrote before."""

    @property
    def run_id(self) -> str:
        """The run that the rows belong to."""
        ...

    def write_part(self, images: pa.Table) -> None:
        """Keep rows of schema `IMAGES`."""
        ...

    def write_errors(self, dead_letters: pa.Table) -> None:
        """Keep rows of schema `DEAD_LETTERS`."""
        ...


def write_batch(batch: pa.Table, sink: Sink) -> pa.Table:
    """Make a block durable.

    Args:
        batch: n rows that have been through all stages, or dead letters at any stage: schema `ROWS` plus whatever
            the stages added.
        sink: the run in the lake.

    Returns:
        The batch itself, once every row of it is on disk.

    Raises:
        StoppedError: the disk is full.
    """
    succeeded = pc.is_null(batch.column("code"))
    images = batch.filter(succeeded)
    if images.num_rows:
        sink.write_part(_conform(images, IMAGES, "ingested_at", sink.run_id))
    dead_letters = batch.filter(pc.invert(succeeded))
    if dead_letters.num_rows:
        sink.write_errors(_conform(dead_letters, DEAD_LETTERS, "failed_at", sink.run_id))
    return batch


def _conform(rows: pa.Table, schema: pa.Schema, time_column: str, run_id: str) -> pa.Table:
    now = pa.scalar(datetime.now(timezone.utc), schema.field(time_column).type)
    added = {time_column: now, "run_id": pa.scalar(run_id)}
    columns = [
        pa.repeat(added[field.name], rows.num_rows) if field.name in added else rows.column(field.name)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
