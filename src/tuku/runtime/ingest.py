"""The main job: plan → pipeline → commit → load → verify → report."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timezone

import pyarrow as pa

from tuku.config import Config
from tuku.config_load import dump_config
from tuku.errors import ConfigError, InterruptedRunError, StoppedError, TooManyFailuresError, TukuError
from tuku.fetching.urls import redact
from tuku.lake import Lake, Run, Stamp, count_rows
from tuku.lake_view import LakeView
from tuku.pipeline import STAGES, Models
from tuku.progress import Progress
from tuku.report import ApiUse, LoadSummary, Report, Rows, StageTime, VerifySummary
from tuku.runtime.blocks import BlockStats
from tuku.runtime.cluster import cluster
from tuku.runtime.control import demand, start_control
from tuku.runtime.demand import quota_use
from tuku.runtime.engine import run_work_list
from tuku.runtime.inputs import manifest_uri, refuse_unavailable, require_access
from tuku.runtime.interrupt import interruptible
from tuku.runtime.ledger import Demand
from tuku.runtime.loading import check_target, load_lake, require_passed
from tuku.runtime.models import describe_models
from tuku.runtime.planning import Plan, write_plan
from tuku.runtime.reporting import write_report
from tuku.runtime.unexpected import unexpected
from tuku.runtime.worker import Assignment
from tuku.schemas import PAID


@dataclass
class _Record:
    """What is known of the run so far; whatever stops it, a report can be made."""

    config: Config
    models: Models
    run: Run
    resumed: bool
    plan: Plan = field(default_factory=Plan)
    stats: BlockStats = field(default_factory=BlockStats)
    demand: Demand = field(default_factory=dict)
    load: LoadSummary | None = None
    verify: VerifySummary | None = None
    error: TukuError | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    _started: float = field(default_factory=time.monotonic)

    def report(self) -> Report:
        stats, error = self.stats, self.error
        rows = Rows(
            manifest=self.plan.manifest,
            new=self.plan.new,
            changed=self.plan.changed,
            unchanged=self.plan.unchanged,
            duplicates=self.plan.duplicates,
            ok=stats.ok,
            failed=sum(stats.errors.values()),
        )
        stopped = isinstance(error, (StoppedError, InterruptedRunError))
        return Report(
            run_id=self.run.run_id,
            status="ok" if error is None else "stopped" if stopped else "failed",
            exit_code=0 if error is None else error.exit_code,
            config_sha256=self.config.sha256(),
            started_at=self.started_at,
            seconds=round(time.monotonic() - self._started, 3),
            rows=rows,
            errors=dict(stats.errors.most_common()),
            api={stage: ApiUse.of(usage) for stage, usage in stats.usage.items() if usage.requests},
            quota=quota_use(self.demand, self.models),
            stages={
                stage.name: StageTime.of(stats.rows[stage.name], round(stats.seconds[stage.name], 3))
                for stage in STAGES
                if stage.name in stats.seconds
            },
            load=self.load,
            verify=self.verify,
            message=str(error) if error is not None else "",
            resumed=self.resumed,
            models=self.models.notes(),
        )


def ingest(config: Config, progress: Progress) -> Report:
    """Bring lake and Milvus up to the manifest.

    Args:
        config: the configuration; `manifest.uri` is set.
        progress: told what is going on.

    Returns:
        The report, also of a run that failed or was stopped (`exit_code`, `message`). It is in the lake too.

    Raises:
        ConfigError: nothing was begun: a wrong configuration, an unreadable manifest, an unwritable lake.
    """
    refuse_unavailable(config)
    models = describe_models(config)
    require_access(config, models)
    uri = manifest_uri(config)
    check_target(config, models)
    lake = Lake.at(config.lake.uri)
    try:
        with lake.exclusive():
            return _ingest(config, lake, uri, models, progress)
    finally:
        progress.close()


def _ingest(config: Config, lake: Lake, uri: str, models: Models, progress: Progress) -> Report:
    run, interrupted = lake.begin()
    record = _Record(config, models, run, resumed=bool(interrupted))
    try:
        with interruptible():
            _work(record, lake, uri, models, progress)
    except TukuError as error:
        if isinstance(error, ConfigError) and not run.begun:
            raise
        record.error = error
    except Exception as error:  # noqa: BLE001  the run's report must say so, whatever it was
        record.error = unexpected(run, error)
    return write_report(record.report(), run, lake, config)


def _work(record: _Record, lake: Lake, uri: str, models: Models, progress: Progress) -> None:
    config, run = record.config, record.run
    progress.phase("plan", redact(uri))
    record.plan = write_plan(config, uri, models, LakeView.everything(lake), run, progress)
    run.write_text("config.yaml", dump_config(config))
    run.write_json("plan.json", record.plan.to_dict())
    if record.plan.work:
        _pipeline(record, lake, models, progress)
    _stamp(lake, models, changed=record.plan.work > 0)
    run.commit()
    record.load, record.verify = load_lake(config, lake, run.run_id, progress)
    run.write_json("load.json", record.load.model_dump(mode="json"))
    require_passed(record.verify)
    failed, manifest = sum(record.stats.errors.values()), record.plan.manifest
    if manifest and failed / manifest > config.limits.max_failed_fraction:
        raise TooManyFailuresError(
            f"{failed} of {manifest} rows failed, more than limits.max_failed_fraction"
            f" ({config.limits.max_failed_fraction:g}) allows. The others are kept and searchable.",
            "The report lists the reasons; rows that failed are tried again when the same command is run again.",
        )


def _pipeline(record: _Record, lake: Lake, models: Models, progress: Progress) -> None:
    progress.phase("start", "Ray")
    with cluster(record.config.runtime) as workers:
        control = start_control(record.config.limits) if _needs_control(record.config, models) else None
        progress.phase("pipeline", f"{workers} workers")
        progress.start(record.plan.work)
        paid = pa.concat_tables([PAID.empty_table(), *(models.usable(table) for table in lake.paid())])
        try:
            for stats in run_work_list(Assignment(record.config, models, record.run, paid, workers, control)):
                record.stats.add(stats)
                rows = stats.ok + sum(stats.errors.values())
                for stage in STAGES:
                    progress.advance(stage.name, rows, stats.failed[stage.name])
        finally:
            record.demand = demand(control)
    run = record.run
    on_disk = count_rows(run.storage, run.parts()), count_rows(run.storage, run.errors())
    counted = record.stats.ok, sum(record.stats.errors.values())
    if on_disk != counted or sum(counted) != record.plan.work:
        what = f"{record.plan.work} planned, {counted} counted (ok, failed), {on_disk} on disk"
        run.reject(what)
        raise TukuError(
            f"The rows do not add up: {what}.",
            "This is a bug in tuku. The run is not committed; please report it with the run's folder.",
        )


def _needs_control(config: Config, models: Models) -> bool:
    return config.limits.max_minutes is not None or any(model.terms for model in models.by_stage().values())


def _stamp(lake: Lake, models: Models, *, changed: bool) -> None:
    stamp = lake.stamp()
    if stamp is None or (changed and stamp.embedding_fingerprint != models.embedding_fingerprint):
        embedder = models.embedder
        lake.write_stamp(Stamp(embedder.name, embedder.dim or 0, models.embedding_fingerprint))
