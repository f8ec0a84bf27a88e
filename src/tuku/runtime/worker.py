"""The Ray actor that works blocks: models are loaded once, then one block after the other, some at a time."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tuku.config import Config
from tuku.errors import TukuError
from tuku.lake import Run
from tuku.pipeline import Models, Toolbox
from tuku.protocols import ModelDescription
from tuku.providers.factory import Access
from tuku.providers.registry import create_captioner, create_embedder
from tuku.runtime.account import MeteredQuota, RunAccount
from tuku.runtime.blocks import BlockStats, run_block
from tuku.runtime.control import RemoteBooks
from tuku.runtime.crew import Crew
from tuku.runtime.ledger import Halt
from tuku.runtime.quota import cluster_quota
from tuku.runtime.unexpected import unexpected
from tuku.stages.paid import PaidAnswers


@dataclass(frozen=True)
class Assignment:
    """What every worker of a run is told.

    Attributes:
        config: the configuration.
        models: as configured.
        run: where results go.
        paid: answers that earlier runs paid for and could not use, schema `PAID`.
        workers: how many processes work.
        control: the run's ledger; None for a run that asks no service.
    """

    config: Config
    models: Models
    run: Run
    paid: pa.Table
    workers: int
    control: Any = None


class Worker:
    """Works blocks of the work list; safe to call from several threads."""

    def __init__(self, job: Assignment) -> None:
        self._run = job.run
        self._books = None if job.control is None else RemoteBooks(job.control, uuid.uuid4().hex)
        limits = job.config.limits
        limited = limits.max_calls is not None or limits.max_cost is not None
        self._account = None if self._books is None else RunAccount(self._books, limited=limited)
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
        name = f"{file}#{row_group}"
        halt = None if self._books is None else self._books.enter(name)
        if halt is not None:
            return BlockStats(block=name, fatal=halt)
        stats = BlockStats(block=name)
        if isinstance(self._box, TukuError):
            stats.fatal = self._ended_by(self._box)
            return stats
        try:
            with pq.ParquetFile(self._run.storage.path(file)) as work:
                rows = work.read_row_group(row_group)
            run_block(rows, self._box, self._crew, stats)
        except Exception as error:  # noqa: BLE001  Ray would wrap it in layers: what stops the job travels as data
            stats.fatal = self._ended_by(error)
        if self._account is not None:
            self._account.report()
            if stats.fatal is None and self._account.halted is not None:
                stats.fatal = Halt.of(self._account.halted)
        return stats

    def _ended_by(self, error: Exception) -> Halt:
        if not isinstance(error, TukuError):
            error = unexpected(self._run, error)
        if self._account is not None:
            self._account.halt(error)
        return Halt.of(error)

    def _halted(self) -> bool:
        return self._account is not None and self._account.halted is not None

    def _access(self, stage: str, job: Assignment) -> Access | None:
        model: ModelDescription | None = job.models.by_stage().get(stage)
        if model is None or model.terms is None or self._account is None:
            return None
        quota = MeteredQuota(stage, cluster_quota(model, job.config.quota), self._account)
        return Access(quota, job.config.retry)
