"""Planning a run: the manifest is streamed past the lake, and what needs work becomes the run's work list."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import pyarrow as pa

from tuku.config import Config
from tuku.lake import Run
from tuku.lake_view import LakeView
from tuku.pipeline import Models
from tuku.progress import Progress
from tuku.schemas import ROWS
from tuku.stages.manifest import read_manifest
from tuku.stages.plan import KNOWN_COLUMNS, Known, Planner

_BLOCKS_PER_FILE = 64


@dataclass(frozen=True)
class Plan:
    """How many manifest rows there are of each class; `work` of them stand on the work list."""

    manifest: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    duplicates: int = 0
    work: int = 0

    @classmethod
    def of(cls, counts: Mapping[str, int], work: int) -> Plan:
        """From the planner's counts by class."""
        known = {name: counts.get(name, 0) for name in ("new", "changed", "unchanged", "duplicates")}
        return cls(manifest=sum(counts.values()), **known, work=work)

    def to_dict(self) -> dict[str, int]:
        """As in plan.json."""
        return asdict(self)


def write_plan(config: Config, manifest_uri: str, models: Models, view: LakeView, run: Run, progress: Progress) -> Plan:
    """Compare the manifest with the lake and write the run's work list.

    Args:
        config: the configuration.
        manifest_uri: absolute path or URI.
        models: as configured; rows made by others are done again.
        view: what the lake holds.
        run: where the work list goes.
        progress: told how many manifest rows were read.

    Raises:
        ManifestError: the manifest cannot be read.
    """
    planner = planner_of(models, view)
    work = _write_work_list(run, planned(config, manifest_uri, planner, progress), config, models)
    return Plan.of(planner.counts, work)


def planner_of(models: Models, view: LakeView) -> Planner:
    """A planner that knows what the lake holds."""
    return Planner(Known.of(view.batches(KNOWN_COLUMNS)), models.caption_fingerprint, models.embedding_fingerprint)


def planned(config: Config, manifest_uri: str, planner: Planner, progress: Progress) -> Iterator[pa.Table]:
    """Stream the manifest past the planner.

    Yields:
        The rows that need work or have failed already (schema `ROWS`); the planner counts all of them.

    Raises:
        ManifestError: the manifest cannot be read.
    """
    from tuku.fetching import open_stream

    for batch in read_manifest(config.manifest, manifest_uri, opener=open_stream(config.fetch)):
        yield planner.plan(batch)
        progress.phase("plan", f"{sum(planner.counts.values()):,} rows read")


def _write_work_list(run: Run, batches: Iterator[pa.Table], config: Config, models: Models) -> int:
    workers = config.runtime.workers or os.cpu_count() or 1
    block_rows = models.block_rows(config, workers)
    file_rows = block_rows * _BLOCKS_PER_FILE
    waiting, total, files = ROWS.empty_table(), 0, 0
    for batch in batches:
        waiting = pa.concat_tables([waiting, batch])
        while waiting.num_rows >= file_rows:
            run.write_work(files, waiting.slice(0, file_rows), block_rows)
            waiting, total, files = waiting.slice(file_rows), total + file_rows, files + 1
    if waiting.num_rows:
        # Smaller blocks for a small rest, so that every worker gets some of it.
        fair_rows = max(math.ceil(waiting.num_rows / (4 * workers)), models.slice_rows(config))
        run.write_work(files, waiting, min(block_rows, fair_rows))
    return total + int(waiting.num_rows)
