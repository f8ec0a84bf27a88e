"""`tuku plan`: what an ingest would do and cost. Writes nothing, starts no Ray, asks no service."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tuku import units
from tuku.config import Config
from tuku.fetching import GuardedFetcher
from tuku.forecast import Forecast, StageForecast
from tuku.lake import Lake
from tuku.lake_view import LakeView
from tuku.pipeline import Models
from tuku.progress import Progress
from tuku.report import Rows
from tuku.runtime.catalogue import Catalogue
from tuku.runtime.estimating import Estimator
from tuku.runtime.inputs import refuse_unavailable, require_terms
from tuku.runtime.loading import space_differs
from tuku.runtime.models import describe_models
from tuku.runtime.parallel import LazyCluster
from tuku.runtime.planning import Planner
from tuku.runtime.sampling import Reservoir, Sample, look_at
from tuku.runtime.work_list import Missing
from tuku.stages.paid import PaidAnswers, known_answers
from tuku.stages.twins import Contents
from tuku.storage import DiskStorage


def forecast(config: Config, progress: Progress) -> Forecast:
    """What `tuku ingest` with the same configuration would do now.

    Args:
        config: the configuration; `manifest.uri` is set.
        progress: told what is going on.

    Raises:
        ConfigError: a wrong configuration, or an unreadable manifest.
    """
    refuse_unavailable(config)
    models = describe_models(config)
    require_terms(config, models)
    catalogue = Catalogue.of_manifest(config)
    lake = Lake.at(config.lake.uri)
    try:
        return _forecast(config, models, catalogue, lake, progress)
    finally:
        progress.close()


def _forecast(config: Config, models: Models, catalogue: Catalogue, lake: Lake, progress: Progress) -> Forecast:
    progress.phase("plan", catalogue.name)
    reservoir = Reservoir()
    view = next_run_view(lake)
    with (
        tempfile.TemporaryDirectory(prefix="tuku-plan-", ignore_cleanup_errors=True) as folder,
        LazyCluster(config.runtime.model_copy(update={"address": "local"}), progress) as cluster,  # sees the folder
    ):
        planned = Planner(config, models, view, DiskStorage(Path(folder))).plan(catalogue.tables(), cluster, progress)
        for batch in planned.work():
            reservoir.add(batch)
        missing = Missing.of(planned, config)
    counts = planned.counts
    rows = Rows.model_validate({**counts.classes, "manifest": counts.manifest, "deleted": missing.deleted})
    sample, paid = Sample(), PaidAnswers()
    if reservoir.seen and any(model.terms for model in models.by_stage().values()):
        chosen = reservoir.rows()
        progress.phase("sample", units.plural(chosen.num_rows, "picture"))
        paid = PaidAnswers.of(lake.paid()).plus(known_answers(chosen))
        with GuardedFetcher(config.fetch) as fetcher:
            contents, listed = Contents(planned.contents), bool(config.fetch.allowed_hosts)
            sample = look_at(chosen, fetcher, config.decode, models.picture_sizes(), contents, buckets_listed=listed)
    stages = Estimator(reservoir.seen, sample, models, config.milvus.vectors, config.quota.share, paid).by_stage()
    found = Forecast(rows, stages, sample.size, sample.unreadable, dict(counts.reasons.most_common()))
    return replace(found, warnings=(*missing.warnings(), *_warnings(found, config, lake)))


def next_run_view(lake: Lake) -> LakeView:
    """What the next run will find: it seals interrupted runs (docs/adr/0005), and nothing is sealed here."""
    runs = (run if run.committed else run.as_sealed() for run in lake.runs() if run.committed or not run.rejected)
    return LakeView(lake, tuple(runs))


def _warnings(found: Forecast, config: Config, lake: Lake) -> Iterator[str]:
    limits = config.limits
    difference = space_differs(config, lake)
    if difference and config.load.strategy != "rebuild":
        yield f"{difference} To replace a collection of those, `tuku ingest` needs --set load.strategy=rebuild."
    asked = (
        ("max_cost", limits.max_cost, found.cost),
        ("max_calls", limits.max_calls, found.calls),
        ("max_minutes", limits.max_minutes, found.minutes),
    )
    for name, limit, wanted in asked:
        if limit is not None and wanted is not None and wanted > limit:
            yield f"limits.{name} = {limit:g} will stop the run before that; the same command then goes on from there."
    for name, stage in found.stages.items():
        yield from _unknown(name, stage)
    unreadable = sum(found.unreadable.values())
    failing = found.rows.failed + (found.work * unreadable / found.sampled if found.sampled else 0)
    if failing > limits.max_failed_fraction * found.rows.manifest:
        yield (
            f"About {failing:,.0f} of {units.plural(found.rows.manifest, 'row')} will fail, more than"
            f" limits.max_failed_fraction ({limits.max_failed_fraction:g}) allows: exit code 3."
        )


def _unknown(name: str, stage: StageForecast) -> Iterator[str]:
    if not stage.calls or stage.price is None:
        return
    if not stage.price.input_per_1k and not stage.price.output_per_1k:
        yield f"{name}: no price is known; {name}.price.input_per_1k and output_per_1k say what it costs."
    if stage.minutes is None:
        yield f"{name}: no limit is known; {name}.quota.requests_per_min and tokens_per_min say how fast it may go."
