"""Write: rows that succeeded go to the lake's parts, the others to its dead letters."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timezone
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from tuku.errors import NO_FAILURES, SAME_CONTENT
from tuku.schemas import DEAD_LETTERS, IMAGES, TWINS
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

    def write_twins(self, name: str, rows: pa.Table, round_: int) -> None:
        """Likewise for rows of schema `TWINS`, which the next round takes up."""
        ...


def write_batch(batch: pa.Table, sink: Sink, round_: int = 1) -> pa.Table:
    """Make a block durable.

    Args:
        batch: n rows that have been through all stages: schema `EMBEDDED`.
        sink: the run in the lake.
        round_: in which the batch was worked.

    Returns:
        The batch itself, once every row of it is on disk. Not all that did not succeed are dead letters (see
        `NO_FAILURES`): ``stopped`` rows are worked by the next run, with what they had gained.

    Raises:
        StoppedError: the disk is full.
        StorageError: the lake cannot be written to.
    """
    succeeded = pc.is_null(batch.column("code"))
    images = conform(batch.filter(succeeded), IMAGES, sink.run_id)
    others = batch.filter(pc.invert(succeeded))
    failed = others.filter(pc.invert(pc.is_in(others.column("code"), value_set=pa.array(sorted(NO_FAILURES)))))
    dead_letters = conform(failed, DEAD_LETTERS, sink.run_id)
    name = block_name(batch)
    twins = others.filter(pc.equal(others.column("code"), SAME_CONTENT))
    sink.write_twins(name, twins.select(TWINS.names), round_)
    sink.write_block(name, images, dead_letters, paid_rows(others))
    return batch


def block_name(batch: pa.Table) -> str:
    """Follows from which rows of which manifest these are. Ids alone would not do: dead letters may share one."""
    rows = batch.select(["manifest_uri", "row_number", "image_id"]).to_pylist()
    text = "\n".join(json.dumps(list(row.values())) for row in rows)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def conform(rows: pa.Table, schema: pa.Schema, run_id: str) -> pa.Table:
    """Rows as the lake keeps them, with this run and the present time.

    Args:
        rows: with at least the schema's other columns.
        schema: `IMAGES` or `DEAD_LETTERS`.
        run_id: of the run that writes them.
    """
    now = datetime.now(timezone.utc)
    added = {"ingested_at": now, "failed_at": now, "run_id": run_id}
    columns = [
        pa.repeat(pa.scalar(added[field.name], field.type), rows.num_rows)
        if field.name in added
        else rows.column(field.name)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
