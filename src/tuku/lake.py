"""The lake: runs of Parquet part files, each run committed by one marker.

    <lake>/lease.json                             who works on the lake now (`tuku.lease`)
    <lake>/runs/<run_id>/plan/work-*.parquet      what the run has to do
    <lake>/runs/<run_id>/parts/part-*.parquet     one row per image that succeeded
    <lake>/runs/<run_id>/errors/part-*.parquet    one row per image that did not
    <lake>/runs/<run_id>/deleted/part-*.parquet   ids of images that are no longer in the catalogue
    <lake>/runs/<run_id>/paid/part-*.parquet      answers paid for by rows that did not, or that were stopped
    <lake>/runs/<run_id>/_COMMITTED               the list of these files: from here on readers see the run

Run ids sort by time. The current view of the lake is, for every image_id, its row in the newest committed run. A
compaction is a run too: its marker says which runs it replaces; their images are no longer looked at (docs/lake.md).
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone

import pyarrow as pa

from tuku.errors import StorageError
from tuku.journal import read_journals
from tuku.lease import USUAL_TIMES, Lease, LeaseTimes, hold_lease
from tuku.part_files import read_rows
from tuku.run import Run, unreplaced
from tuku.schemas import PAID
from tuku.storage import Storage, storage_at

__all__ = ["Lake", "Run", "Stamp", "new_run_id", "read_rows", "unreplaced"]

_MODELS = "models.json"
_TIME = "%Y%m%dT%H%M%S%fZ"
_RUN_ID = re.compile(r"(\d{8}T\d{12}Z)-[0-9a-f]{4}$")


@dataclass(frozen=True)
class Stamp:
    """Which model fills the vectors (length `dim`); rows with another embedding fingerprint are of another space."""

    embed_model: str
    dim: int
    embedding_fingerprint: str


@dataclass(frozen=True)
class Lake:
    """All runs under one root."""

    storage: Storage

    @classmethod
    def at(cls, uri: str) -> Lake:
        """The lake at a path or URI; nothing is read or written yet."""
        return cls(storage_at(uri))

    @contextmanager
    def exclusive(
        self,
        wait_s: float | None = None,
        *,
        command: str = "tuku",
        on_wait: Callable[[str], None] | None = None,
        times: LeaseTimes = USUAL_TIMES,
    ) -> Iterator[Lease]:
        """Within the block this process alone works on the lake, among all processes of all hosts. Readers need not.

        Args:
            wait_s: how long to wait for somebody else to end; None refuses at once. Either way one who is dead is
                found out, which takes up to `LeaseTimes.dead_after_s` where their process cannot be looked up.
            command: what others are told that this process is doing, such as ``tuku ingest``.
            on_wait: told once who is waited for.
            times: how often the lease is renewed and looked at.

        Yields:
            The lease: `Lease.require` before each step that must not be done by two.

        Raises:
            StorageError: somebody else works on the lake, or it cannot be written to.
            StoppedError: the disk is full.
        """
        self.storage.prepare()
        with hold_lease(self.storage, command, wait_s=wait_s, on_wait=on_wait, times=times) as lease:
            yield lease

    def runs(self) -> list[Run]:
        """All runs, oldest first, unfinished ones included; a folder of another name is no run."""
        return [Run(self.storage, name) for name in self.storage.folders("runs") if _RUN_ID.match(name)]

    def committed_runs(self) -> list[Run]:
        """The runs that readers see, oldest first."""
        return [run for run in self.runs() if run.committed]

    def run(self, run_id: str | None = None) -> Run:
        """A run by its id; without one, the newest that has been reported.

        Raises:
            StorageError: there is no such run.
        """
        runs = self.runs()
        if run_id is None:
            found = [run for run in runs if self.storage.exists(f"{run.folder}/report.json")]
        else:
            found = [run for run in runs if run.run_id == run_id]
        if not found:
            known = ", ".join(run.run_id for run in runs[-5:]) or "none"
            raise StorageError(
                f"There is no run {run_id or ''} in the lake {self.storage.uri}.".replace("  ", " "),
                f"The newest runs are: {known}. Check lake.uri.",
            )
        return found[-1]

    def begin(self, require: Callable[[], None] = lambda: None) -> tuple[Run, list[str]]:
        """A new run, and the ids of interrupted ones that left rows or answers for it to build on.

        An interrupted run is sealed: its part files are whole, so they are committed as they are, and planning
        finds their rows done (docs/adr/0005). One without parts is sealed too, lest its process, should it only have
        been asleep, commit it after all. Nothing is written for the new run yet.

        Args:
            require: called before each seal, for an open run may be that of the lease's new owner; raises if so.

        Raises:
            StorageError: the lake cannot be written to.
        """
        self.storage.prepare()
        runs = self.runs()
        interrupted = [run for run in runs if not (run.committed or run.rejected)]
        for run in interrupted:
            require()
            run.seal()
        newest = runs[-1].run_id if runs else ""
        return Run(self.storage, new_run_id(after=newest)), [run.run_id for run in interrupted if _left_something(run)]

    def paid(self) -> Iterator[pa.Table]:
        """Answers that were paid for by rows that did not succeed, or of whose end nobody knows (schema `PAID`).

        The oldest run comes first; its journals have the same answers as its part files, or more. Of a rejected run
        the images do not count, and the answers in them do.
        """
        for run in self.runs():
            yield from read_journals(run)
            for name in (*run.paid(), *(run.parts() if run.rejected else ())):
                yield from read_rows(run.storage, name, PAID.names)

    def stamp(self) -> Stamp | None:
        """Which model fills the vectors of this lake (models.json); None for a new lake.

        Raises:
            StorageError: the file is not what tuku writes.
        """
        content = self.storage.find(_MODELS)
        if content is None:
            return None
        try:
            values = json.loads(content)
            return Stamp(str(values["embed_model"]), int(values["dim"]), str(values["embedding_fingerprint"]))
        except (ValueError, KeyError, TypeError) as error:
            raise StorageError(
                f"{self.storage.where(_MODELS)} is not the vector space stamp that tuku writes.",
                "Put it back from a backup, or delete it: the next run writes it anew.",
            ) from error

    def write_stamp(self, stamp: Stamp) -> None:
        """Record which model fills the vectors from now on."""
        self.storage.write(_MODELS, (json.dumps(asdict(stamp), indent=2) + "\n").encode())


def _left_something(run: Run) -> bool:
    return bool(run.parts() or run.paid()) or any(True for _ in read_journals(run))


def new_run_id(after: str = "") -> str:
    """An id that sorts by time, to the microsecond, such as ``20261121T021500123456Z-3f9a``.

    Args:
        after: an id that the new one must sort after, even where this machine's clock is behind the one that gave
            it: the newest run decides what readers see.
    """
    time = _now()
    if found := _RUN_ID.match(after):
        time = max(time, datetime.strptime(f"{found[1]}+0000", f"{_TIME}%z") + timedelta(microseconds=1))
    return f"{time.strftime(_TIME)}-{secrets.token_hex(2)}"


def _now() -> datetime:
    return datetime.now(timezone.utc)
