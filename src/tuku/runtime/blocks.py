"""A block's way through the stages, and what is counted on the way. No Ray in here."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pyarrow as pa

from tuku.errors import SAME_CONTENT, STOPPED, UNCHANGED, RowError
from tuku.pipeline import STAGES, Stage, Toolbox
from tuku.protocols import Usage
from tuku.runtime.crew import Crew
from tuku.runtime.ledger import Halt
from tuku.schemas import EMBEDDED
from tuku.stages.outcome import advance, alive
from tuku.stages.paid import known_answers

_COUNTERS = ("errors", "rows", "failed")
_STOPPED = RowError(STOPPED, "The run was halted before this row was worked.")


@dataclass
class BlockStats:
    """What became of one block, or of many added up.

    Attributes:
        ok: rows that succeeded.
        unchanged: rows whose picture turned out to be what the lake has.
        twins: rows set aside because another has the same content.
        errors: failed rows by code; a row that was not worked because the run was halted is none.
        rows: rows that reached each stage alive.
        failed: rows that each stage failed.
        seconds: time that each stage took, of all slices; waiting for a service counts, waiting for a turn does not.
        usage: what the stage's provider charged for.
        block: which block it was.
        fatal: what stops the whole job.
    """

    ok: int = 0
    unchanged: int = 0
    twins: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    usage: dict[str, Usage] = field(default_factory=dict)
    block: str = ""
    fatal: Halt | None = None

    def add(self, other: BlockStats) -> None:
        """Add another block's counts to these."""
        self.ok += other.ok
        self.unchanged += other.unchanged
        self.twins += other.twins
        self.errors.update(other.errors)
        self.rows.update(other.rows)
        self.failed.update(other.failed)
        for stage, seconds in other.seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
        for stage, usage in other.usage.items():
            self.usage[stage] = self.usage.get(stage, Usage()) + usage
        self.fatal = self.fatal or other.fatal

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the way from worker to driver."""
        usage = {stage: asdict(used) for stage, used in self.usage.items()}
        counters = {name: dict(getattr(self, name)) for name in _COUNTERS}
        return {**vars(self), **counters, "usage": usage}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> BlockStats:
        """Back from `to_dict`."""
        counters = {name: Counter(values[name]) for name in _COUNTERS}
        usage = {stage: Usage(**used) for stage, used in values["usage"].items()}
        fatal = Halt(*values["fatal"]) if values["fatal"] else None
        return cls(**{**values, **counters, "usage": usage, "fatal": fatal})


def run_block(block: pa.Table, box: Toolbox, crew: Crew, stats: BlockStats) -> None:
    """Take a block of the work list through all stages; at the end every row of it is on disk.

    Once the run is halted, or a slice breaks, the slices end where they are; what they had gained is on disk all the
    same.

    Args:
        block: n rows in schema `WORK`.
        box: what the stages use.
        crew: the threads that slices are worked on; several blocks may share them.
        stats: counts are added to it, also those of a block that breaks.

    Raises:
        Exception: whatever broke a slice or the writing, after all that could be kept was kept.
    """
    box = replace(box, paid=box.paid.plus(known_answers(block)))
    slice_rows = box.models.slice_rows(box.config)
    slices = [block.slice(start, slice_rows) for start in range(0, max(block.num_rows, 1), slice_rows)]
    broken: list[Exception] = []
    worked = crew.map(lambda part: _run_slice(part, box, crew, broken), slices)
    for _, counts in worked:
        stats.add(counts)
    try:
        _finish(pa.concat_tables([part for part, _ in worked]), box, stats)
    finally:
        if box.captioner is not None:
            stats.usage["caption"] = box.captioner.take_usage()
        stats.usage["embed"] = box.embedder.take_usage()
    if broken:
        raise broken[0]


def _finish(block: pa.Table, box: Toolbox, stats: BlockStats) -> None:
    for stage in STAGES:
        if stage.on_block:
            block = _run_stage(stage, block, box, stats)
    for name, code in zip(block.column("stage").to_pylist(), block.column("code").to_pylist(), strict=True):
        if code is None:
            stats.ok += 1
        elif code == UNCHANGED:
            stats.unchanged += 1
        elif code == SAME_CONTENT:
            stats.twins += 1
        elif code != STOPPED:
            stats.errors[code] += 1
            stats.failed[name] += 1


def _run_slice(batch: pa.Table, box: Toolbox, crew: Crew, broken: list[Exception]) -> tuple[pa.Table, BlockStats]:
    stats = BlockStats()
    try:
        for stage in STAGES:
            if stage.on_block:
                continue
            with crew.turn(stage.lane(box.models)):
                if broken or box.halted():
                    break
                batch = _run_stage(stage, batch, box, stats)
    except Exception as error:  # noqa: BLE001  raised once the other slices are through and all is written
        broken.append(error)
    return _halted(batch), stats


def _run_stage(stage: Stage, batch: pa.Table, box: Toolbox, stats: BlockStats) -> pa.Table:
    started = time.perf_counter()
    rows = batch.column("code").null_count
    batch = stage.work(batch, box)
    stats.rows[stage.name] += rows
    stats.seconds[stage.name] = stats.seconds.get(stage.name, 0.0) + time.perf_counter() - started
    return batch


def _halted(batch: pa.Table) -> pa.Table:
    """The slice in the last stage's schema; a row that has not got there was stopped."""
    if batch.schema.equals(EMBEDDED):
        return batch
    positions = alive(batch)
    return advance(batch, "", EMBEDDED, positions, [_STOPPED] * len(positions))
