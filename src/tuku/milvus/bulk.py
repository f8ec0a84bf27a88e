"""Bulk import: files are written, staged and imported, several at once, none of them twice."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tuku.errors import MilvusError
from tuku.load_ledger import StagedFile
from tuku.milvus.calls import MilvusAwayError, wait_until
from tuku.milvus.export import cut_into, sha256_of, write_import_file
from tuku.milvus.imports import ForgottenJobError, ImportFailedError

if TYPE_CHECKING:
    import pyarrow as pa

    from tuku.load_ledger import LoadLedger
    from tuku.milvus.fields import Layout
    from tuku.milvus.imports import Importer, ImportJob
    from tuku.milvus.staging import Staging

logger = logging.getLogger(__name__)

MOST_FAILURES = 3
"""Imports of one file that may fail: then it is given up."""

_POLL_S = 0.1


@dataclass
class _Watched:
    """An import that is under way, and when it, or another of the load, last got further (s, `time.monotonic`)."""

    moved_s: float
    percent: int = -1

    def stands_for(self, seconds: float) -> bool:
        return time.monotonic() - self.moved_s > seconds


@dataclass
class BulkImport:
    """Fills one empty collection from files.

    Args:
        importer: starts imports.
        staging: where the files wait.
        ledger: of this load; what it knows to be done is not done again.
        layout: of the collection.
        in_flight: imports at once.
        stall_s: one has failed if neither it nor any other gets further for so long.
        before_each: called before anything is staged, started, noted or removed; what it raises ends the load. (Files
            and ledger may be those of another process by then: this one may have stood still for long.)
        progress: told how many rows have been imported.

    Attributes:
        short: files whose import ended well with fewer rows than they hold.
    """

    importer: Importer
    staging: Staging
    ledger: LoadLedger
    layout: Layout
    in_flight: int
    stall_s: float
    before_each: Callable[[], None]
    progress: Callable[[int], None]
    short: set[str] = field(default_factory=set, init=False)
    _watched: dict[str, _Watched] = field(default_factory=dict, init=False)
    _ended_s: float = field(default=0.0, init=False)

    def run(self, tables: Iterable[pa.Table]) -> None:
        """Import all rows (schema `schemas.IMAGES`), the same ones in the same order each time.

        Raises:
            ForgottenJobError: an import that an earlier load began is not known any more: nothing can be gone on with.
            ImportFailedError: an import failed for good or stood still; the message names file, job and reason.
            MilvusError: Milvus does not answer.
            ConfigError, VectorSpaceError: rows that the collection cannot hold.
        """
        self._adopt()
        for number, part in enumerate(cut_into(tables, self.ledger.rows_per_file)):
            name = file_name(number)
            if not self._is_staged(name):
                self._stage(name, part)
            if self.ledger.files[name].state == "staged":
                self._wait_for(self.in_flight - 1)
                self._begin(name)
        self._wait_for(0)

    def settled(self, name: str) -> None:
        """The rows of a file are in the collection, however they got there."""
        self._note(name, replace(self.ledger.files[name], state="done"))

    def _adopt(self) -> None:
        """Find the imports that an earlier load has started, those too whose start it could not note any more."""
        unsure = [name for name, file in self.ledger.files.items() if file.state in {"starting", "importing"}]
        jobs = self.importer.jobs(self.ledger.collection) if unsure else ()
        going = {job.job_id: job for job in jobs if job.state != "failed"}
        listed = {job.job_id for job in jobs}
        for name in sorted(unsure, key=lambda name: self.ledger.files[name].state):  # those first whose job is known
            file = self.ledger.files[name]
            job = self._job_of(name, going)
            if job is not None:
                del going[job.job_id]
                self._note(name, replace(file, state="importing", job_id=job.job_id))
                self._watched[name] = _Watched(time.monotonic())
            elif file.state == "importing" and file.job_id not in listed:
                raise ForgottenJobError(
                    f"Milvus does not know the import {file.job_id} of {self.staging.path(name)} any more, which had"
                    f" begun: whether its rows are in {self.ledger.collection} cannot be told.",
                    "Run `tuku load --strategy rebuild`.",
                )
            else:
                self._note(name, replace(file, state="staged", job_id=""))

    def _note(self, name: str, file: StagedFile) -> None:
        self.before_each()
        self.ledger.put(name, file)

    def _job_of(self, name: str, going: dict[str, ImportJob]) -> ImportJob | None:
        """The import of a file, by the id that was noted, or by its path."""
        file = self.ledger.files[name]
        if file.job_id in going:
            return going[file.job_id]
        # One that waits for its turn may not tell its path. No more than one start can have gone unheard.
        told = [self.staging.path(name), ""] if file.state == "starting" else [self.staging.path(name)]
        return next((job for path in told for job in going.values() if job.path == path), None)

    def _is_staged(self, name: str) -> bool:
        file = self.ledger.files.get(name)
        if file is None:
            return False
        if file.state in {"importing", "done"}:
            return True
        storage = self.staging.storage
        if not storage.exists(name) or storage.size(name) != file.size:
            return False
        return sha256_of(storage, name) == file.sha256

    def _stage(self, name: str, part: Iterable[pa.Table]) -> None:
        self.before_each()
        exported = write_import_file(part, self.layout, self.staging.storage, name)
        self._note(name, StagedFile(exported.rows, exported.size, exported.sha256))

    def _begin(self, name: str) -> None:
        file = replace(self.ledger.files[name], state="starting")
        self._note(name, file)
        try:
            job_id = self.importer.start(self.ledger.collection, self.staging.path(name))
        except MilvusAwayError as error:  # it may have begun: not to be waited out, the next load looks for it
            raise MilvusError(error.message, error.remedy) from error
        self._note(name, replace(file, state="importing", job_id=job_id))
        self._watched[name] = _Watched(time.monotonic())

    def _wait_for(self, most: int) -> None:
        """Until no more than so many imports are under way."""

        def missing() -> str:
            if len(self._watched) > most:
                self._look()
            return ", ".join(sorted(self._watched)) if len(self._watched) > most else ""

        wait_until(missing, math.inf, _POLL_S)

    def _look(self) -> None:
        rows = sum(file.rows for file in self.ledger.files.values() if file.state == "done")
        for name, watched in list(self._watched.items()):
            file = self.ledger.files[name]
            job = self._ask(file.job_id, watched)
            if job is None:
                rows += file.rows * max(0, watched.percent) // 100
            elif job.state == "failed":
                del self._watched[name]
                self._again(name, job)
            elif job.state == "done":
                del self._watched[name]
                self._ended_s = time.monotonic()
                rows += file.rows
                self._done(name, job)
            else:
                rows += file.rows * job.percent // 100
                self._require_movement(name, job, watched)
        self._grant_patience()
        self.progress(rows)

    def _grant_patience(self) -> None:
        """As long as any import gets further, none stands still.

        Those that wait for their turn cannot be told by their percent: Milvus 2.4 and newer says 10 when it has planned
        to read a file, 40 when it has planned to import it, 70 or 80 until statistics and index have their turn.
        """
        latest_s = max((watched.moved_s for watched in self._watched.values()), default=0.0)
        for watched in self._watched.values():
            watched.moved_s = max(latest_s, self._ended_s)

    def _ask(self, job_id: str, watched: _Watched) -> ImportJob | None:
        """What has become of a job; None if Milvus is away, which it may be as long as an import may stand still."""
        try:
            return self.importer.job(job_id)
        except MilvusAwayError as error:
            if watched.stands_for(self.stall_s):
                raise MilvusError(error.message, error.remedy) from error
            return None

    def _again(self, name: str, job: ImportJob) -> None:
        file = self.ledger.files[name]
        file = replace(file, failures=file.failures + 1)
        self._note(name, file)
        if file.failures >= MOST_FAILURES:
            self.ledger.forget(name)  # the next load writes it anew, and tries as often again
            raise ImportFailedError(
                f"The import of {self.staging.path(name)} into {self.ledger.collection} failed {file.failures} times;"
                f" the last was job {job.job_id}: {job.reason or 'no reason was given'}.",
                "Look at the server's log, and whether Milvus can read load.staging_uri (load.staging_path says by what"
                " name); then run `tuku load`: it goes on from here. Readers see what they saw before.",
            )
        logger.warning("the import %s of %s failed, and is started again: %s", job.job_id, name, job.reason)
        self._begin(name)

    def _done(self, name: str, job: ImportJob) -> None:
        file = self.ledger.files[name]
        if job.rows < file.rows:
            logger.warning("the import %s of %s ended with %d of %d rows", job.job_id, name, job.rows, file.rows)
            self.short.add(name)
        else:
            self.settled(name)

    def _require_movement(self, name: str, job: ImportJob, watched: _Watched) -> None:
        if job.percent != watched.percent:
            watched.percent, watched.moved_s = job.percent, time.monotonic()
        elif watched.stands_for(self.stall_s):
            self.before_each()
            self.ledger.remove()
            raise ImportFailedError(
                f"The import of {self.staging.path(name)} into {self.ledger.collection} (job {job.job_id}) has stood at"
                f" {job.percent}% for {self.stall_s:g} s.",
                "Look at the server's load and log, or raise load.stall_s; then run `tuku load`: it begins with another"
                " fresh collection. Readers see what they saw before.",
            )


def file_name(number: int) -> str:
    """The name of the import file of this number."""
    return f"part-{number:05d}.parquet"
