"""Which files of a lake can go, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal

from tuku.errors import StorageError
from tuku.housekeeping.retention import UNFINISHED, Retention, finished_runs, replaced_at, settled_at
from tuku.housekeeping.superseded import superseded_files
from tuku.lake import Lake, Run
from tuku.lake_view import LakeView
from tuku.marker import KINDS
from tuku.part_files import footer_rows
from tuku.storage import Stored

Reason = Literal["replaced", "work lists", "answers", "unfinished", "unlisted", "rejected", "old runs", "loads"]
"""Why a file can go; docs/lake.md explains each."""

_DEPTH = 3  # of runs/<run_id>/<name>


@dataclass(frozen=True)
class _State:
    """What decides about a run's files; asked once, for in a bucket each question is a request."""

    run_id: str
    settled: datetime | None
    committed: bool
    listed: frozenset[str]

    @classmethod
    def of(cls, run: Run) -> _State:
        return cls(run.run_id, settled_at(run), run.committed, frozenset(run.listed()))


@dataclass(frozen=True)
class Survey:
    """What decides about the files of a lake.

    Attributes:
        retention: how long things are kept.
        replaced: runs whose images can go, because a compaction has them.
        finished: runs that can go altogether.
        answers: files of answers that can go.
    """

    retention: Retention
    replaced: frozenset[str]
    finished: frozenset[str]
    answers: frozenset[str]

    @classmethod
    def of(cls, lake: Lake, retention: Retention, *, thorough: bool = True) -> Survey:
        """Look at the whole lake.

        Args:
            lake: the lake.
            retention: how long things are kept.
            thorough: also look for runs and answers that can go, for which all images may have to be read.

        Raises:
            StorageError: a compaction's file is damaged: what it replaced is all there is, and nothing may go.
        """
        replaced = _replaced(lake, retention)
        if not thorough:
            return cls(retention, replaced, frozenset(), frozenset())
        finished = frozenset(run.run_id for run in finished_runs(lake, retention))
        return cls(retention, replaced, finished, _superfluous_answers(lake, retention))

    def of_run(self, run: Run) -> dict[Reason, list[Stored]]:
        """The files of a run that can go, the run's marks last."""
        state = _State.of(run)
        files = sorted(run.storage.walk(run.folder), key=lambda file: (_is_mark(file), file.name))
        # Where a listed file is behind a link, which is not ours to remove, its marker has to stay.
        finished = run.run_id in self.finished and state.listed <= {file.name for file in files}
        found: dict[Reason, list[Stored]] = {}
        for file in files:
            reason = "old runs" if finished else self._reason(state, file)
            if reason is not None:
                found.setdefault(reason, []).append(file)
        return found

    def stale(self, file: Stored) -> bool:
        """Whether nobody is writing the file any more."""
        return self.retention.over(datetime.fromtimestamp(file.modified_s, timezone.utc), UNFINISHED)

    def _reason(self, run: _State, file: Stored) -> Reason | None:
        if file.unfinished:
            return "unfinished" if self.stale(file) else None
        if run.settled is None:
            return None  # the next run goes on from what is there
        if file.name in self.answers:
            return "answers"
        kind = file.name.split("/")[2] if file.name.count("/") >= _DEPTH else ""
        if run.committed:
            return self._reason_of_committed(run, file, kind)
        over = kind in {"plan", *KINDS} - {"paid"} and self.retention.over(run.settled, self.retention.replaced)
        return "rejected" if over else None

    def _reason_of_committed(self, run: _State, file: Stored, kind: str) -> Reason | None:
        if kind == "plan":
            return "work lists"
        if kind == "parts" and run.run_id in self.replaced:
            return "replaced"
        unlisted = kind in KINDS and file.name.endswith(".parquet") and file.name not in run.listed
        return "unlisted" if unlisted and self.stale(file) else None


def _is_mark(file: Stored) -> bool:
    return file.name.rpartition("/")[2].startswith("_")


def _replaced(lake: Lake, retention: Retention) -> frozenset[str]:
    """The runs whose images can go. Those of the compactions that stand for them are looked at before."""
    runs = lake.runs()
    since = replaced_at(runs)
    can_go = frozenset(
        run.run_id
        for run in runs
        if run.run_id in since and run.parts() and retention.over(since[run.run_id], retention.replaced)
    )
    for run in runs:
        if run.run_id not in since and run.replaces & can_go:
            _require_whole(run)
    return can_go


def _require_whole(compaction: Run) -> None:
    """Before what it replaced is removed.

    Raises:
        StorageError: a file is damaged, or not what was written.
    """
    marker = compaction.marker
    for name, rows in marker.files["parts"].items() if marker is not None else ():
        path = f"{compaction.folder}/{name}"
        if footer_rows(compaction.storage, path) != rows:
            raise StorageError(
                f"The lake's file {compaction.storage.where(path)} does not have the {rows:,} rows that were written.",
                f"Put it back from a backup, or delete {compaction.storage.where(compaction.folder)}: what it replaced"
                " is looked at again then.",
            )


def _superfluous_answers(lake: Lake, retention: Retention) -> frozenset[str]:
    """Answers that the lake's images have too, or that nobody has needed for very long."""
    old, others = set[str](), set[str]()
    for run in lake.runs():
        settled = settled_at(run)
        if settled is not None:
            names = [file.name for file in run.storage.walk(f"{run.folder}/paid") if not file.unfinished]
            (old if retention.over(settled, retention.runs) else others).update(names)
    return frozenset(old | superseded_files(LakeView.everything(lake), others))
