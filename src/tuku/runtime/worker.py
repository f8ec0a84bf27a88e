"""The Ray actor that works blocks: models are loaded once, then one block after the other, some at a time."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tuku.config import Config
from tuku.errors import TukuError
from tuku.journal import AnswerJournal, read_journals
from tuku.lake import Run, read_rows
from tuku.pipeline import Models, Toolbox
from tuku.protocols import ModelDescription
from tuku.providers.factory import Access
from tuku.providers.registry import create_captioner, create_embedder
from tuku.runtime.account import MeteredQuota, RunAccount
from tuku.runtime.blocks import BlockStats, run_block
from tuku.runtime.claims import BlockClaims
from tuku.runtime.control import RemoteBooks
from tuku.runtime.crew import Crew
from tuku.runtime.ledger import Halt, block_id
from tuku.runtime.quota import cluster_quota
from tuku.runtime.unexpected import unexpected
from tuku.runtime.work_list import read_contents
from tuku.schemas import PAID
from tuku.stages.paid import PaidAnswers
from tuku.stages.twins import Claims, Contents
from tuku.stages.write import block_name as part_name


@dataclass(frozen=True)
class Assignment:
    """What every worker of a run is told.

    Attributes:
        config: the configuration.
        models: as configured.
        run: where results go.
        paid: answers that earlier runs paid for and could not use, schema `PAID`.
        workers: how many processes work.
        control: the run's ledger.
        round_: of the run: in the first, rows with the same content as another are set aside for the second.
    """

    config: Config
    models: Models
    run: Run
    paid: pa.Table
    workers: int
    control: Any
    round_: int = 1


class Worker:
    """Works blocks of the work list; safe to call from several threads."""

    def __init__(self, job: Assignment) -> None:
        self._run = job.run
        if not job.config.runtime.worker_gpus:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""  # what Ray has not reserved for it is not for it
        worker = uuid.uuid4().hex
        self._books = RemoteBooks(job.control, worker)
        limits = job.config.limits
        limited = limits.max_calls is not None or limits.max_cost is not None
        self._account = RunAccount(self._books, limited=limited)
        self._journal = AnswerJournal(job.run, worker, self._ended_by, job.config.write.flush_interval_s)
        self._crew = Crew.of(job.models, job.config, job.workers)
        self._box: Toolbox | TukuError
        try:
            self._box = self._toolbox(job)
        except TukuError as error:
            self._box = error  # raised in here, it would reach the driver as the death of an actor

    def _toolbox(self, job: Assignment) -> Toolbox:
        from tuku.fetching import GuardedFetcher

        return Toolbox(
            config=job.config,
            models=job.models,
            fetcher=GuardedFetcher(job.config.fetch),
            captioner=create_captioner(job.config.caption, self._access("caption", job)),
            embedder=create_embedder(job.config.embed, self._access("embed", job)),
            sink=job.run,
            paid=PaidAnswers.of([job.paid]),
            journal=self._journal.append,
            contents=Contents(read_contents(job.run)) if job.round_ == 1 else Contents(),
            round_=job.round_,
            halted=self._halted,
        )

    def __call__(self, blocks: pa.Table) -> pa.Table:
        """Work blocks of the work list.

        Args:
            blocks: columns ``file`` (relative to the lake) and ``row_group``.

        Returns:
            One row for each: column ``stats``, `BlockStats` as JSON.
        """
        stats = [self._work(block["file"], block["row_group"]).to_dict() for block in blocks.to_pylist()]
        return pa.table({"stats": [json.dumps(values) for values in stats]})

    def _work(self, file: str, row_group: int) -> BlockStats:
        name = block_id(file, row_group)
        entry = self._books.enter(name)
        if entry.halt is not None:
            return BlockStats(block=name, fatal=entry.halt)
        stats = BlockStats(block=name)
        if isinstance(self._box, TukuError):
            stats.fatal = self._ended_by(self._box)
            return stats
        try:
            with pq.ParquetFile(self._run.storage.source(file)) as work:
                rows = work.read_row_group(row_group)
            box = replace(self._box, claims=self._claims(name))
            if entry.again:
                box = replace(box, paid=self._recalled(rows, box))
            with self._journal.block():
                run_block(rows, box, self._crew, stats)
        except Exception as error:  # noqa: BLE001  Ray would wrap it in layers: what stops the job travels as data
            stats.fatal = self._ended_by(error)
        self._account.report()
        if stats.fatal is None and self._account.halted is not None:
            stats.fatal = Halt.of(self._account.halted)
        return stats

    def _recalled(self, rows: pa.Table, box: Toolbox) -> PaidAnswers:
        """The answers in the box, and what a worker that was lost had paid for, as long as this block is worked.

        The block may even be on disk, and only its end unheard of.
        """
        known = box.paid.plus(PAID.empty_table())
        part = f"/part-{part_name(rows)}.parquet"
        files = [name for name in (*self._run.paid(), *self._run.parts()) if name.endswith(part)]
        written = (read_rows(self._run.storage, name, PAID.names) for name in files)
        for table in chain(read_journals(self._run), *written):
            known.add(box.models.usable(table))
        return known

    def _ended_by(self, error: Exception) -> Halt:
        if not isinstance(error, TukuError):
            error = unexpected(self._run, error)
        self._account.halt(error)
        return Halt.of(error)

    def _claims(self, block: str) -> Claims:
        return BlockClaims(partial(self._books.claim, block))

    def _halted(self) -> bool:
        return self._account.halted is not None

    def _access(self, stage: str, job: Assignment) -> Access | None:
        model: ModelDescription | None = job.models.by_stage().get(stage)
        if model is None or model.terms is None:
            return None
        quota = MeteredQuota(stage, cluster_quota(model, job.config.quota), self._account)
        return Access(quota, job.config.retry)
