"""The main job: plan → pipeline → commit → load → verify → report."""

from __future__ import annotations

import time
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

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
from tuku.runtime.engine import run_work_list
from tuku.runtime.interrupt import interruptible
from tuku.runtime.loading import check_target, load_lake, require_passed
from tuku.runtime.models import describe_models
from tuku.runtime.planning import Plan, write_plan
from tuku.runtime.reporting import write_report


@dataclass
class _Record:
    """What is known of the run so far; whatever stops it, a report can be made."""

    config: Config
    models: Models
    run: Run
    resumed: bool
    plan: Plan = field(default_factory=Plan)
    stats: BlockStats = field(default_factory=BlockStats)
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
    _refuse_unavailable(config)
    models = describe_models(config)
    manifest_uri = _manifest_uri(config)
    check_target(config, models)
    lake = Lake.at(config.lake.uri)
    try:
        with lake.exclusive():
            return _ingest(config, lake, manifest_uri, models, progress)
    finally:
        progress.close()


def _ingest(config: Config, lake: Lake, manifest_uri: str, models: Models, progress: Progress) -> Report:
    run, interrupted = lake.begin()
    record = _Record(config, models, run, resumed=bool(interrupted))
    try:
        with interruptible():
            _work(record, lake, manifest_uri, models, progress)
    except TukuError as error:
        if isinstance(error, ConfigError) and not run.begun:
            raise
        record.error = error
    except Exception as error:  # noqa: BLE001  the run's report must say so, whatever it was
        record.error = _unexpected(run, error)
    return write_report(record.report(), run, lake, config)


def _work(record: _Record, lake: Lake, manifest_uri: str, models: Models, progress: Progress) -> None:
    config, run = record.config, record.run
    progress.phase("plan", redact(manifest_uri))
    record.plan = write_plan(config, manifest_uri, models, LakeView.everything(lake), run, progress)
    run.write_text("config.yaml", dump_config(config))
    run.write_json("plan.json", record.plan.to_dict())
    if record.plan.work:
        _pipeline(record, models, progress)
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


def _pipeline(record: _Record, models: Models, progress: Progress) -> None:
    progress.phase("start", "Ray")
    with cluster(record.config.runtime) as workers:
        progress.phase("pipeline", f"{workers} workers")
        progress.start(record.plan.work)
        for stats in run_work_list(record.config, models, record.run, workers):
            record.stats.add(stats)
            rows = stats.ok + sum(stats.errors.values())
            for stage in STAGES:
                progress.advance(stage.name, rows, stats.failed[stage.name])
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


def _stamp(lake: Lake, models: Models, *, changed: bool) -> None:
    stamp = lake.stamp()
    if stamp is None or (changed and stamp.embedding_fingerprint != models.embedding_fingerprint):
        embedder = models.embedder
        lake.write_stamp(Stamp(embedder.name, embedder.dim or 0, models.embedding_fingerprint))


def _refuse_unavailable(config: Config) -> None:
    """A limit that would be ignored is worse than none."""
    asked = {
        "manifest.mode = snapshot": config.manifest.mode == "snapshot",
        "limits.max_cost": config.limits.max_cost is not None,
        "limits.max_calls": config.limits.max_calls is not None,
        "limits.max_minutes": config.limits.max_minutes is not None,
        "load.staging_uri": config.load.staging_uri is not None,
    }
    for key, is_set in asked.items():
        if is_set:
            raise ConfigError(f"{key} has no effect in this version of tuku.", "Leave it at its default.")


def _manifest_uri(config: Config) -> str:
    uri = config.manifest.uri
    if not uri:
        raise ConfigError("No manifest was named.", "Give it as the argument, or set manifest.uri.")
    return uri if "://" in uri else str(Path(uri).expanduser().absolute())


def _unexpected(run: Run, error: Exception) -> TukuError:
    details = "".join(traceback.format_exception(error))
    where = ""
    if run.begun:
        with suppress(TukuError):  # The disk may be what failed.
            run.write_text("traceback.txt", details)
            where = f" Details: {run.storage.path(run.folder)}/traceback.txt."
    first_line = (str(error).strip().splitlines() or [""])[0][:300]
    return TukuError(
        f"Unexpected {type(error).__name__}: {first_line}.{where}",
        "What was finished is kept: running the same command again goes on from there.",
    )
