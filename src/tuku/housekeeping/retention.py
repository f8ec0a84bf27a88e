"""How long what is kept, and which runs nobody needs any more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import pyarrow as pa

from tuku.config import LakeConfig
from tuku.dead_letters import DeadLetters
from tuku.housekeeping.digest import RowsDigest
from tuku.lake import Lake, Run
from tuku.schemas import DEAD_LETTERS

READERS = timedelta(hours=6)
"""Somebody who began to read before a compaction is given so long, whatever the configuration says."""
UNFINISHED = timedelta(hours=1)
"""A file that has not been written to for so long, and is not finished or on no list, will never be."""

_LETTER = pa.schema([DEAD_LETTERS.field(name) for name in ("image_id", "row_number", "run_id", "code")])


@dataclass(frozen=True)
class Retention:
    """How long things are kept.

    Attributes:
        replaced: files that a compaction has replaced.
        runs: reports, settled dead letters, answers that were paid for and are not in the lake.
        now: UTC.
    """

    replaced: timedelta
    runs: timedelta
    now: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    @classmethod
    def of(cls, config: LakeConfig) -> Retention:
        """As configured."""
        return cls(max(timedelta(days=config.keep_days), READERS), timedelta(days=config.keep_runs_days))

    def over(self, since: datetime, keep: timedelta) -> bool:
        """Whether what is so old need not be kept any longer."""
        return self.now - since >= keep


def settled_at(run: Run) -> datetime | None:
    """When a run was committed or rejected, UTC; None if it was neither."""
    if run.marker is not None:
        return datetime.fromisoformat(run.marker.committed_at)
    rejected_s = run.rejected_s
    return None if rejected_s is None else datetime.fromtimestamp(rejected_s, timezone.utc)


def replaced_at(runs: Iterable[Run]) -> dict[str, datetime]:
    """For each run that a compaction stands for, since when."""
    since: dict[str, datetime] = {}
    for run in runs:
        when = settled_at(run)
        if when is not None:
            since.update((old, min(when, since.get(old, when))) for old in run.replaces)
    return since


def finished_runs(lake: Lake, retention: Retention) -> list[Run]:
    """Runs that can go altogether: none of their images is looked at, and no dead letter stands in them.

    And without them the same dead letters stand: a run may be what settles those of an older one. Where they would not
    be the same, only the older half is taken, or the older half of that.
    """
    runs = lake.runs()
    since = replaced_at(runs)
    old = [run for run in runs[:-1] if _is_old(run, since.get(run.run_id), retention)]
    rejected = [run for run in old if not run.committed]
    candidates = [run for run in old if run.committed]
    if not candidates:
        return rejected
    letters = DeadLetters.of(lake)
    with_letters, standing = _standing(letters)
    candidates = [run for run in candidates if run.run_id not in with_letters]
    while candidates and _standing(_without(letters, candidates))[1] != standing:
        candidates = candidates[: len(candidates) // 2]
    return [*rejected, *candidates]


def _is_old(run: Run, replaced: datetime | None, retention: Retention) -> bool:
    settled, marker = settled_at(run), run.marker
    if settled is None or not retention.over(settled, retention.runs):
        return False
    if marker is None or replaced is None:
        return marker is None or not (run.replaces or marker.names("parts") or marker.names("deleted"))
    return retention.over(replaced, retention.replaced)


def _standing(letters: DeadLetters) -> tuple[set[str], str]:
    """The runs that have dead letters that stand, and a digest of all these letters."""
    runs, digest = set[str](), RowsDigest(_LETTER)
    for batch in letters.batches(_LETTER.names):
        runs.update(batch.column("run_id").unique().to_pylist())
        digest.add(batch)
    return runs, digest.hexdigest()


def _without(letters: DeadLetters, gone: list[Run]) -> DeadLetters:
    ids = {run.run_id for run in gone}
    return DeadLetters(tuple(run for run in letters.runs if run.run_id not in ids), letters.compactions)
