"""The main job: plan → pipeline → commit → load → verify → report, and a lake that stays small."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import count

import pyarrow as pa

from tuku.config import Config
from tuku.config_load import dump_config
from tuku.dead_letters import Selection
from tuku.errors import ConfigError, TooManyFailuresError, TukuError
from tuku.housekeeping import Steps, tidy
from tuku.lake import Lake, Stamp
from tuku.lake_view import LakeView
from tuku.lease import Lease
from tuku.pipeline import STAGES, Models
from tuku.progress import Progress
from tuku.report import Report
from tuku.runtime.blocks import BlockStats
from tuku.runtime.catalogue import Catalogue
from tuku.runtime.control import demand, next_round, start_control
from tuku.runtime.engine import run_work_list
from tuku.runtime.inputs import refuse_unavailable, require_access
from tuku.runtime.interrupt import interruptible
from tuku.runtime.loading import check_target, load_lake, require_passed
from tuku.runtime.models import describe_models
from tuku.runtime.parallel import LazyCluster
from tuku.runtime.planning import Planner
from tuku.runtime.record import Record
from tuku.runtime.reporting import write_report
from tuku.runtime.twins import TwinSettler
from tuku.runtime.unexpected import unexpected
from tuku.runtime.work_list import Plan, WorkList, scratch_of, write_contents, write_deletions, write_done
from tuku.runtime.worker import Assignment
from tuku.schemas import PAID

logger = logging.getLogger(__name__)


def ingest(config: Config, progress: Progress, *, wait_s: float | None = None) -> Report:
    """Bring lake and Milvus up to the manifest.

    Args:
        config: the configuration; `manifest.uri` is set.
        progress: told what is going on.
        wait_s: how long to wait for another run on this lake to end; None: not at all.

    Returns:
        The report, also of a run that failed or was stopped (`exit_code`, `message`). It is in the lake too.

    Raises:
        ConfigError: nothing was begun: a wrong configuration, an unreadable manifest, an unwritable lake.
    """
    return _run(config, progress, "tuku ingest", wait_s, lambda _: Catalogue.of_manifest(config))


def retry(
    config: Config,
    progress: Progress,
    *,
    reason: str | None = None,
    stage: str | None = None,
    wait_s: float | None = None,
) -> Report:
    """Run dead letters again: those that stand, of whatever manifest.

    Args:
        config: the configuration.
        progress: told what is going on.
        reason: only those with this code.
        stage: only those of this stage.
        wait_s: as for `ingest`.

    Returns:
        The report, as of `ingest`; its rows are the dead letters.

    Raises:
        ConfigError: as of `ingest`.
    """
    # Others' rows are not missing because they are no dead letters.
    config = config.model_copy(update={"manifest": config.manifest.model_copy(update={"mode": "append"})})
    wanted = Selection(reason, stage)
    return _run(config, progress, "tuku retry", wait_s, lambda lake: Catalogue.of_dead_letters(lake, wanted))


def _run(
    config: Config, progress: Progress, command: str, wait_s: float | None, catalogue_of: Callable[[Lake], Catalogue]
) -> Report:
    refuse_unavailable(config)
    models = describe_models(config)
    require_access(config, models)
    lake = Lake.at(config.lake.uri)
    catalogue = catalogue_of(lake)
    try:
        with lake.exclusive(wait_s, command=command, on_wait=partial(progress.phase, "wait")) as lease:
            check_target(config, models)  # a local Milvus file is open to one process only: the one whose turn it is
            return _ingest(_Job(config, models, lake, lease, catalogue), progress)
    finally:
        progress.close()


@dataclass(frozen=True)
class _Job:
    config: Config
    models: Models
    lake: Lake
    lease: Lease
    catalogue: Catalogue


def _ingest(job: _Job, progress: Progress) -> Report:
    config, lake = job.config, job.lake
    run, interrupted = lake.begin(job.lease.require)
    record = Record(config, job.models, run, resumed=bool(interrupted))
    try:
        with interruptible():
            _work(job, record, progress)
    except TukuError as error:
        if isinstance(error, ConfigError) and not run.begun:
            raise
        record.error = error
    except Exception as error:  # noqa: BLE001  the run's report must say so, whatever it was
        record.error = unexpected(run, error)
    report = write_report(record.report(), run, lake, config)
    if record.error is None:
        _tidy(job, progress, thorough=record.plan.work > 0)
    return report


def _tidy(job: _Job, progress: Progress, *, thorough: bool) -> None:
    """Keep the lake small, after a run that went well and whatever becomes of this: readers have all they need."""
    try:
        with interruptible():
            done = tidy(job.lake, job.config.lake, Steps(job.lease.require, progress.phase), thorough=thorough)
    except Exception as error:  # noqa: BLE001  the run is over and well reported; the next one tidies up again
        logger.warning("The lake was not tidied up: %s", error)
    else:
        if done:
            progress.phase("tidied", "; ".join(done))


def _work(job: _Job, record: Record, progress: Progress) -> None:
    config, run, lake = record.config, record.run, job.lake
    progress.phase("plan", job.catalogue.name)
    with LazyCluster(config.runtime, progress) as cluster:
        view = LakeView.with_history(lake)
        _plan(job, record, view, cluster, progress)
        if record.plan.work:
            _pipeline(job, record, view, cluster, progress)
    record.worked = True
    _require_sum(record)
    job.lease.require()
    _stamp(record, lake)
    _write_plan(job, record, complete=job.catalogue.whole)
    run.commit()
    job.lease.require()
    record.load, record.verify = load_lake(config, lake, run.run_id, progress, job.lease.require)
    run.write_json("load.json", record.load.model_dump(mode="json"))
    require_passed(record.verify)
    failed = sum(record.stats.errors.values())
    # What is run again is the worst of a catalogue; it is the whole that must not lack too much.
    rows = record.plan.manifest if job.catalogue.manifest else failed + LakeView.everything(lake).rows()
    if rows and failed / rows > config.limits.max_failed_fraction:
        raise TooManyFailuresError(
            f"{failed} of {rows} rows failed, more than limits.max_failed_fraction"
            f" ({config.limits.max_failed_fraction:g}) allows. The others are kept and searchable.",
            "`tuku errors` lists the reasons; rows that failed are tried again when the same command is run again, or"
            " by `tuku retry`.",
        )


def _plan(job: _Job, record: Record, view: LakeView, cluster: LazyCluster, progress: Progress) -> None:
    config, models, run = record.config, record.models, record.run
    with scratch_of(run) as scratch:
        planner = Planner(config, models, view, scratch, restate=job.catalogue.restate)
        planned = planner.plan(job.catalogue.tables(), cluster, progress)
        missing = write_deletions(planned, config, run)
        if planned.counts.work:
            WorkList(run, config, models, cluster.workers()).write(planned.work())
            write_contents(planned.contents, run)
        record.plan = Plan.of(planned.counts, deleted=missing.deleted, rewritten=write_done(planned, run))
    record.warnings += [*job.catalogue.warnings(), *missing.warnings()]
    run.write_text("config.yaml", dump_config(config))
    _write_plan(job, record, complete=False)


def _write_plan(job: _Job, record: Record, *, complete: bool) -> None:
    plan = {**record.plan.to_dict(), "manifest_uri": job.catalogue.manifest, "complete": complete}
    record.run.write_json("plan.json", plan)


def _pipeline(job: _Job, record: Record, view: LakeView, cluster: LazyCluster, progress: Progress) -> None:
    config, models, run = record.config, record.models, record.run
    workers = cluster.workers()
    control = start_control(config.limits)
    progress.phase("pipeline", f"{workers} workers")
    progress.start(record.plan.work)
    paid = pa.concat_tables([PAID.empty_table(), *(models.usable(table) for table in view.lake.paid())])
    settler = TwinSettler(run, view, models)
    try:
        for round_ in count(1):
            work = Assignment(config, models, run, paid, workers, control, round_)
            with closing(run_work_list(work, progress)) as worked:
                for stats in worked:
                    _add(record, stats, progress)
                    job.lease.require()
            settled = settler.settle(round_)
            if settled is None:
                break
            next_round(control)
            _add(record, BlockStats(ok=settled.ok, errors=settled.errors, failed=settled.failed), progress)
            WorkList(run, config, models, workers).write(iter([settled.work]), round_ + 1)
    finally:
        record.demand = demand(control)


def _add(record: Record, stats: BlockStats, progress: Progress) -> None:
    record.stats.add(stats)
    rows = stats.ok + stats.unchanged + sum(stats.errors.values())
    for stage in STAGES:
        progress.advance(stage.name, rows, stats.failed[stage.name])


def _require_sum(record: Record) -> None:
    """Every row that was planned has ended, and is where it was counted."""
    run, plan, stats = record.run, record.plan, record.stats
    ended = stats.ok, stats.unchanged, sum(stats.errors.values())
    counted = stats.ok + plan.rewritten, sum(stats.errors.values())
    on_disk = run.rows("parts"), run.rows("errors")
    if on_disk != counted or sum(ended) != plan.work:
        what = (
            f"{plan.work} planned, {ended} ended (ok, unchanged, failed), {on_disk} on disk, {plan.rewritten} rewritten"
        )
        run.reject(what)
        raise TukuError(
            f"The rows do not add up: {what}.",
            "This is a bug in tuku. The run is not committed; please report it with the run's folder.",
        )


def _stamp(record: Record, lake: Lake) -> None:
    """Say whose vectors the lake has, once it has some.

    A row that was left alone has them as well: a run that died before it came here may have made them.
    """
    models, plan = record.models, record.plan
    stamp, there = lake.stamp(), plan.unchanged + plan.rewritten + record.stats.ok > 0
    if stamp is None or (there and stamp.embedding_fingerprint != models.embedding_fingerprint):
        embedder = models.embedder
        lake.write_stamp(Stamp(embedder.name, embedder.dim or 0, models.embedding_fingerprint))
