"""Runs without Ray: a catalogue is planned and worked in this process, by the stages that the workers run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from tuku.config import Config
from tuku.fetching import Fetcher
from tuku.journal import AnswerJournal
from tuku.lake import Lake, Run
from tuku.lake_view import LakeView
from tuku.pipeline import Models, Toolbox
from tuku.progress import SilentProgress
from tuku.protocols import Captioner, Embedder
from tuku.runtime.blocks import BlockStats, run_block
from tuku.runtime.claims import BlockClaims
from tuku.runtime.crew import Crew
from tuku.runtime.ledger import Ledger, block_id
from tuku.runtime.planning import Planned, Planner
from tuku.runtime.twins import TwinSettler
from tuku.runtime.work_list import Plan, WorkList, scratch_of, write_deletions, write_done
from tuku.stages.manifest import read_manifest
from tuku.stages.paid import PaidAnswers
from tuku.stages.twins import Contents

T = TypeVar("T")
R = TypeVar("R")

WORKERS = 2


class ThisProcess:
    """In the place of a `LazyCluster`."""

    def workers(self) -> int:
        return WORKERS

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        return map(function, items)


@dataclass
class Job:
    """Plans and works one run; one slice at a time, so that it always goes the same way.

    Attributes:
        plan: what there was to do.
        stats: what became of it.
    """

    lake: Lake
    config: Config
    fetcher: Fetcher
    captioner: Captioner
    embedder: Embedder
    plan: Plan | None = None
    stats: BlockStats | None = None

    @property
    def models(self) -> Models:
        return Models.of(self.config, self.captioner.description, self.embedder.description)

    def work(self, run: Run, manifest: str) -> None:
        """From the manifest to the commit."""
        view, config, models = LakeView.with_history(self.lake), self.config, self.models
        with scratch_of(run) as scratch:
            planned = Planner(config, models, view, scratch).plan(
                read_manifest(config.manifest, manifest), ThisProcess(), SilentProgress()
            )
            missing = write_deletions(planned, config, run)
            WorkList(run, config, models, WORKERS).write(planned.work())
            self.plan = Plan.of(planned.counts, deleted=missing.deleted, rewritten=write_done(planned, run))
        journal = AnswerJournal(run, "worker", _never_full, flush_interval_s=3_600)
        try:
            self._rounds(run, view, planned, journal)
        finally:
            journal.close()
        run.commit()

    def _rounds(self, run: Run, view: LakeView, planned: Planned, journal: AnswerJournal) -> None:
        self.stats = BlockStats()
        ledger, crew = Ledger(self.config.limits), Crew(1, {})
        settler = TwinSettler(run, view, self.models)
        paid = PaidAnswers.of(self.models.usable(table) for table in self.lake.paid())
        for round_ in count(1):
            contents = Contents(planned.contents) if round_ == 1 else Contents()
            for name, rows in _blocks(run, round_):
                claims = BlockClaims(partial(ledger.claim, name))
                box = Toolbox(
                    self.config, self.models, self.fetcher, self.captioner, self.embedder, run,
                    paid, journal.append, contents, claims, round_,
                )  # fmt: skip
                with journal.block():
                    run_block(rows, box, crew, self.stats)
            settled = settler.settle(round_)
            if settled is None:
                return
            ledger.next_round()
            self.stats.add(BlockStats(ok=settled.ok, errors=settled.errors, failed=settled.failed))
            WorkList(run, self.config, self.models, WORKERS).write(iter([settled.work]), round_ + 1)


def _blocks(run: Run, round_: int) -> Iterator[tuple[str, pa.Table]]:
    for name in run.work(round_):
        with pq.ParquetFile(run.storage.path(name)) as file:
            for group in range(file.num_row_groups):
                yield block_id(name, group), file.read_row_group(group)


def _never_full(error: Exception) -> None:
    raise error
