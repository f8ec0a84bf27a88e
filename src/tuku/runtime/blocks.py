"""A block's way through the stages, and what is counted on the way. No Ray in here."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any

import pyarrow as pa

from tuku.pipeline import STAGES, Stage, Toolbox
from tuku.protocols import Usage

_COUNTERS = ("errors", "rows", "failed")


@dataclass
class BlockStats:
    """What became of one block, or of many added up.

    Attributes:
        ok: rows that succeeded.
        errors: failed rows by code.
        rows: rows that reached each stage alive.
        failed: rows that each stage failed.
        seconds: time that each stage took, of one worker.
        usage: what the stage's provider charged for.
        fatal: (error class, message, remedy) of what stops the whole job.
    """

    ok: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    usage: dict[str, Usage] = field(default_factory=dict)
    fatal: tuple[str, str, str] | None = None

    def add(self, other: BlockStats) -> None:
        """Add another block's counts to these."""
        self.ok += other.ok
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
        fatal = tuple(values["fatal"]) if values["fatal"] else None
        return cls(**{**values, **counters, "usage": usage, "fatal": fatal})


def run_block(block: pa.Table, box: Toolbox, ahead: Executor) -> BlockStats:
    """Take a block of the work list through all stages; at the end every row of it is on disk.

    Args:
        block: n rows in schema `ROWS`.
        box: what the stages use.
        ahead: runs the stages that work one slice ahead.

    Raises:
        TukuError: what stops the whole job.
    """
    stats = BlockStats()
    for batch_rows, stages in groupby(STAGES, key=lambda stage: stage.batch_rows(box.config)):
        block = pa.concat_tables(_run_slices(block, batch_rows, list(stages), box, ahead, stats))
    for stage, code in zip(block.column("stage").to_pylist(), block.column("code").to_pylist(), strict=True):
        if code is None:
            stats.ok += 1
        else:
            stats.errors[code] += 1
            stats.failed[stage] += 1
    if box.captioner is not None:
        stats.usage["caption"] = box.captioner.take_usage()
    stats.usage["embed"] = box.embedder.take_usage()
    return stats


def _run_slices(
    block: pa.Table,
    batch_rows: int,
    stages: Sequence[Stage],
    box: Toolbox,
    ahead: Executor,
    stats: BlockStats,
) -> Iterator[pa.Table]:
    early = [stage for stage in stages if stage.ahead]
    late = [stage for stage in stages if not stage.ahead]
    slices = [block.slice(start, batch_rows) for start in range(0, max(block.num_rows, 1), batch_rows)]
    if not early:
        yield from (_run_stages(part, late, box, stats) for part in slices)
        return
    coming = ahead.submit(_run_stages, slices[0], early, box, stats)
    for following in [*slices[1:], None]:
        part = coming.result()
        if following is not None:
            coming = ahead.submit(_run_stages, following, early, box, stats)
        yield _run_stages(part, late, box, stats)


def _run_stages(batch: pa.Table, stages: Sequence[Stage], box: Toolbox, stats: BlockStats) -> pa.Table:
    for stage in stages:
        started = time.perf_counter()
        rows = batch.column("code").null_count
        batch = stage.work(batch, box)
        stats.rows[stage.name] += rows
        stats.seconds[stage.name] = stats.seconds.get(stage.name, 0.0) + time.perf_counter() - started
    return batch
