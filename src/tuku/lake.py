"""The lake: runs of Parquet part files, each run committed by one marker.

    <lake>/runs/<run_id>/plan/work-*.parquet    what the run has to do
    <lake>/runs/<run_id>/parts/part-*.parquet   one row per image that succeeded
    <lake>/runs/<run_id>/errors/part-*.parquet  one row per image that did not
    <lake>/runs/<run_id>/paid/part-*.parquet    answers paid for by rows that did not, or that were stopped
    <lake>/runs/<run_id>/_COMMITTED             from here on readers see the run

Run ids sort by time. The current view of the lake is, for every image_id, its row in the newest committed run.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tuku.errors import StorageError
from tuku.schemas import DEAD_LETTERS, IMAGES, PAID
from tuku.storage import Storage

_MARKER = "_COMMITTED"
_REJECTED = "_REJECTED"
_MODELS = "models.json"
_LOCK = ".lock"
_TIME = "%Y%m%dT%H%M%S%fZ"
_NOTHING = PAID.empty_table()
_RUN_ID = re.compile(r"(\d{8}T\d{12}Z)-[0-9a-f]{4}$")


@dataclass(frozen=True)
class Run:
    """One run's folder in the lake."""

    storage: Storage
    run_id: str

    @property
    def folder(self) -> str:
        """The run's folder, relative to the lake."""
        return f"runs/{self.run_id}"

    @property
    def committed(self) -> bool:
        """Whether readers see this run."""
        return self.storage.exists(f"{self.folder}/{_MARKER}")

    def commit(self) -> None:
        """Make the run visible. Everything else of it must be on disk before."""
        self.write_json(_MARKER, {"committed_at": _now().isoformat()})

    def reject(self, reason: str) -> None:
        """Mark the run as wrong: no later run builds on its parts."""
        self.write_json(_REJECTED, {"reason": reason})

    @property
    def rejected(self) -> bool:
        """Whether the run's parts must not be used."""
        return self.storage.exists(f"{self.folder}/{_REJECTED}")

    def parts(self) -> list[str]:
        """Names of the part files that are whole."""
        return self.storage.files(f"{self.folder}/parts", ".parquet")

    def errors(self) -> list[str]:
        """Names of the dead letter files."""
        return self.storage.files(f"{self.folder}/errors", ".parquet")

    def work(self) -> list[str]:
        """Names of the work list's files."""
        return self.storage.files(f"{self.folder}/plan", ".parquet")

    def paid(self) -> list[str]:
        """Names of the files with answers that were paid for by rows that did not succeed."""
        return self.storage.files(f"{self.folder}/paid", ".parquet")

    def write_block(self, name: str, images: pa.Table, dead_letters: pa.Table, paid: pa.Table = _NOTHING) -> None:
        """Make a block's rows durable, in the place of whatever the same block left before.

        A block that is worked again (its worker was lost) may end otherwise, so its files bear the block's name
        and not that of the rows in them: no row ends in two files.

        Args:
            name: the same for the same block, different for any other of the run.
            images: the rows that succeeded, schema `IMAGES`.
            dead_letters: those that failed, schema `DEAD_LETTERS`.
            paid: what rows that did not succeed had gained, schema `PAID`.

        Raises:
            StoppedError: the disk is full.
            StorageError: the lake cannot be written to.
        """
        self._write_rows(f"{self.folder}/paid/part-{name}.parquet", paid.cast(PAID))
        self._write_rows(f"{self.folder}/parts/part-{name}.parquet", images.cast(IMAGES))
        self._write_rows(f"{self.folder}/errors/part-{name}.parquet", dead_letters.cast(DEAD_LETTERS))

    def write_work(self, number: int, rows: pa.Table, block_rows: int) -> None:
        """Write one file of the work list; each of its row groups (`block_rows` rows) becomes one block."""
        with self.storage.atomic(f"{self.folder}/plan/work-{number:06d}.parquet") as file:
            pq.write_table(rows, file, row_group_size=block_rows, compression="zstd")

    def write_json(self, name: str, value: Any) -> None:
        """Write one of the run's JSON files."""
        self.write_text(name, json.dumps(value, ensure_ascii=False, indent=2) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Write one of the run's text files."""
        self.storage.write(f"{self.folder}/{name}", text.encode())

    @property
    def begun(self) -> bool:
        """Whether anything of this run has been written."""
        return self.storage.exists(self.folder)

    def _write_rows(self, name: str, rows: pa.Table) -> None:
        if rows.num_rows == 0:
            self.storage.remove(name)
            return
        with self.storage.atomic(name) as file:
            pq.write_table(rows, file, compression="zstd")


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
        return cls(Storage.at(uri))

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """One run at a time on this machine; the lock is gone with its process, however that ends.

        Raises:
            StorageError: another process works on the lake.
        """
        self.storage.prepare()
        with self.storage.path(_LOCK).open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise StorageError(
                    f"Another run works on the lake {self.storage.root} ({file.read().strip() or 'unknown'}).",
                    "Wait until it has ended, then run the same command again.",
                ) from None
            file.truncate(0)
            file.write(f"process {os.getpid()} since {_now():%Y-%m-%d %H:%M:%S} UTC")
            file.flush()
            yield

    def runs(self) -> list[Run]:
        """All runs, oldest first, unfinished ones included."""
        return [Run(self.storage, run_id) for run_id in self.storage.folders("runs")]

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
                f"There is no run {run_id or ''} in the lake {self.storage.root}.".replace("  ", " "),
                f"The newest runs are: {known}. Check lake.uri.",
            )
        return found[-1]

    def begin(self) -> tuple[Run, list[str]]:
        """A new run, and the ids of interrupted ones whose finished parts it builds on.

        An interrupted run is sealed: its part files are whole, so they are committed as they are, and planning
        finds their rows done (docs/adr/0005). Nothing is written for the new run yet.

        Raises:
            StorageError: the lake cannot be written to.
        """
        self.storage.prepare()
        runs = self.runs()
        interrupted = [run for run in runs if not (run.committed or run.rejected) and run.parts()]
        for run in interrupted:
            run.commit()
        newest = runs[-1].run_id if runs else ""
        return Run(self.storage, new_run_id(after=newest)), [run.run_id for run in interrupted]

    def paid(self) -> Iterator[pa.Table]:
        """Answers that were paid for by rows that did not succeed, oldest first (schema `PAID`)."""
        for run in self.runs():
            for name in run.paid():
                yield from read_rows(run.storage, name)

    def stamp(self) -> Stamp | None:
        """Which model fills the vectors of this lake (models.json); None for a new lake.

        Raises:
            StorageError: the file is not what tuku writes.
        """
        if not self.storage.exists(_MODELS):
            return None
        try:
            values = json.loads(self.storage.read(_MODELS))
            return Stamp(str(values["embed_model"]), int(values["dim"]), str(values["embedding_fingerprint"]))
        except (ValueError, KeyError, TypeError) as error:
            raise StorageError(
                f"{self.storage.path(_MODELS)} is not the vector space stamp that tuku writes.",
                "Put it back from a backup, or delete it: the next run writes it anew.",
            ) from error

    def write_stamp(self, stamp: Stamp) -> None:
        """Record which model fills the vectors from now on."""
        self.storage.write(_MODELS, (json.dumps(asdict(stamp), indent=2) + "\n").encode())


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


def read_rows(storage: Storage, name: str, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """Stream a part file in tables of bounded size.

    Raises:
        StorageError: the file is damaged; it names the file.
    """
    try:
        with pq.ParquetFile(storage.path(name)) as file:
            for batch in file.iter_batches(batch_size=4096, columns=columns):
                yield pa.Table.from_batches([batch])
    except (OSError, pa.ArrowException) as error:
        raise _damaged(storage, name, error) from error


def count_rows(storage: Storage, names: list[str]) -> int:
    """Rows of these files, from their footers.

    Raises:
        StorageError: a file is damaged; it names the file.
    """
    rows = 0
    for name in names:
        try:
            rows += pq.read_metadata(storage.path(name)).num_rows
        except (OSError, pa.ArrowException) as error:
            raise _damaged(storage, name, error) from error
    return rows


def _damaged(storage: Storage, name: str, error: Exception) -> StorageError:
    return StorageError(
        f"The lake's file {storage.path(name)} cannot be read: {error}.",
        "Put it back from a backup, or delete it: the next run makes its rows anew.",
    )


def _now() -> datetime:
    return datetime.now(timezone.utc)
