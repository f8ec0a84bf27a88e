"""Write: rows that succeeded go to the lake's parts, the others to its dead letters."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timezone
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from tuku.errors import STOPPED
from tuku.schemas import DEAD_LETTERS, IMAGES
from tuku.stages.paid import paid_rows


class Sink(Protocol):
    """Where results become durable."""

    @property
    def run_id(self) -> str:
        """The run that the rows belong to."""
        ...

    def write_block(self, name: str, images: pa.Table, dead_letters: pa.Table, paid: pa.Table) -> None:
        """Keep rows of schema `IMAGES`, `DEAD_LETTERS`, `PAID`; replaces all that a block of this name left before."""
        ...


def write_batch(batch: pa.Table, sink: Sink) -> pa.Table:
    """Make a block durable.

    Args:
        batch: n rows that have been through all stages: schema `EMBEDDED`.
        sink: the run in the lake.

    Returns:
        The batch itself, once every row of it is on disk. Rows of code ``stopped`` are no dead letters: the next run
        works them, with what they had gained.

    Raises:
        StoppedError: the disk is full.
        StorageError: the lake cannot be written to.
    """
    succeeded = pc.is_null(batch.column("code"))
    images = _conform(batch.filter(succeeded), IMAGES, "ingested_at", sink.run_id)
    others = batch.filter(pc.invert(succeeded))
    failed = others.filter(pc.not_equal(others.column("code"), STOPPED))
    dead_letters = _conform(failed, DEAD_LETTERS, "failed_at", sink.run_id)
    sink.write_block(_block_name(batch), images, dead_letters, paid_rows(others))
    return batch


def _block_name(batch: pa.Table) -> str:
    """Follows from which rows of which manifest these are. Ids alone would not do: dead letters may share one."""
    rows = batch.select(["manifest_uri", "row_number", "image_id"]).to_pylist()
    text = "\n".join(json.dumps(list(row.values())) for row in rows)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _conform(rows: pa.Table, schema: pa.Schema, time_column: str, run_id: str) -> pa.Table:
    now = pa.scalar(datetime.now(timezone.utc), schema.field(time_column).type)
    added = {time_column: now, "run_id": pa.scalar(run_id)}
    columns = [
        pa.repeat(added[field.name], rows.num_rows) if field.name in added else rows.column(field.name)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
