"""An importer that plays what Milvus may do: fail, lose rows, stand still, and go on while nobody looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tuku.milvus.calls import MilvusAwayError
from tuku.milvus.imports import ImportJob

LOST_ROWS = 3
WAITING = (10, 40)
"""Percent at which a job of Milvus 2.4 or newer waits: to be read, and to be imported."""


@dataclass
class PlayedImporter:
    """Implements `Importer` over files that it reads itself.

    Attributes:
        acts: for the last part of a path, what becomes of its imports, one after the other: ``fail``, ``short``,
            ``stall``, ``unheard`` (it is begun, and the answer is lost); anything else ends well, as do further ones.
        looks: how often a job is looked at before it is over.
        away: so many questions about jobs find nobody.
        bring: is given a collection and the rows of a finished job, in the schema of an import file.
        imported: how often the ids of finished jobs were brought.
    """

    acts: dict[str, list[str]] = field(default_factory=dict)
    looks: int = 2
    away: int = 0
    bring: Callable[[str, pa.Table], object] = lambda collection, rows: None
    imported: Counter[str] = field(default_factory=Counter)
    started: list[str] = field(default_factory=list)
    most_at_once: int = 0
    _jobs: dict[str, ImportJob] = field(default_factory=dict)
    _collections: dict[str, str] = field(default_factory=dict)
    _looked: Counter[str] = field(default_factory=Counter)
    _acts: dict[str, str] = field(default_factory=dict)

    def start(self, collection: str, path: str) -> str:
        name = Path(path).name
        self.started.append(name)
        acts = self.acts.get(name, [])
        job_id = str(len(self.started))
        self._acts[job_id] = acts.pop(0) if acts else "done"
        self._jobs[job_id] = ImportJob(job_id, path, "running", 0, 0)
        self._collections[job_id] = collection
        self.most_at_once = max(self.most_at_once, sum(job.state == "running" for job in self._jobs.values()))
        if self._acts[job_id] == "unheard":
            raise MilvusAwayError("the connection broke")
        return job_id

    def job(self, job_id: str) -> ImportJob:
        self._looked[job_id] += 1
        if self.away:
            self.away -= 1
            raise MilvusAwayError("the server is starting")
        job = self._jobs[job_id]
        if job.state == "running" and self._looked[job_id] >= self.looks:
            job = self._jobs[job_id] = self._over(job)
        return job

    def jobs(self, collection: str) -> list[ImportJob]:
        return [self.job(job_id) for job_id in self._jobs]

    def close(self) -> None:
        """Nothing is open."""

    def _over(self, job: ImportJob) -> ImportJob:
        act = self._acts[job.job_id]
        if act == "stall":
            return replace(job, percent=40)
        if act == "fail":
            return replace(job, state="failed", reason="the disk of the index node is full")
        rows = pq.read_table(job.path)
        rows = rows.slice(LOST_ROWS) if act == "short" else rows
        self.bring(self._collections[job.job_id], rows)
        self.imported.update(rows.column("id").to_pylist())
        return replace(job, state="done", percent=100, rows=len(rows))


@dataclass
class OneNode(PlayedImporter):
    """A server whose one data node reads all files, one after the other, and then imports them likewise.

    Attributes:
        turn_s: how long reading a file takes, and importing it, by the importer's own clock.
        now_s: that clock; each question about a job takes one second.
        stuck: the number of a job, from 1, that is read and never imported; 0: none.
        ended_s: when the last job has ended.
    """

    turn_s: float = 30.0
    now_s: float = 0.0
    stuck: int = 0
    ended_s: float = 0.0
    _turns: Counter[str] = field(default_factory=Counter)
    _next_s: float = 0.0

    def job(self, job_id: str) -> ImportJob:
        self.now_s += 1
        if self.now_s >= self._next_s:
            self._next_s = self.now_s + self.turn_s
            self._take_a_turn()
        job = self._jobs[job_id]
        return replace(job, percent=WAITING[self._turns[job_id]]) if job.state == "running" else job

    def _take_a_turn(self) -> None:
        waiting = [job_id for job_id, job in self._jobs.items() if job.state == "running"]
        able = [job_id for job_id in waiting if int(job_id) != self.stuck or not self._turns[job_id]]
        if not able:
            return
        first = min(able, key=lambda job_id: self._turns[job_id])
        self._turns[first] += 1
        if self._turns[first] == len(WAITING):
            self._jobs[first], self.ended_s = self._over(self._jobs[first]), self.now_s
