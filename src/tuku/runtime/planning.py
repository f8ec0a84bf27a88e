"""Planning a run: the manifest is streamed past the lake, and what needs work becomes the run's work list."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
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
    from tuku.fetching import open_stream

    planner = Planner(Known.of(view.batches(KNOWN_COLUMNS)), models.caption_fingerprint, models.embedding_fingerprint)

    def planned() -> Iterator[pa.Table]:
        opener = open_stream(config.fetch)
        for batch in read_manifest(config.manifest, manifest_uri, opener=opener):
            yield planner.plan(batch)
            progress.phase("plan", f"{sum(planner.counts.values()):,} rows read")

    work = _write_work_list(run, planned(), config)
    counts = planner.counts
    return Plan(
        manifest=sum(counts.values()),
        new=counts["new"],
        changed=counts["changed"],
        unchanged=counts["unchanged"],
        duplicates=counts["duplicates"],
        work=work,
    )


def _write_work_list(run: Run, batches: Iterator[pa.Table], config: Config) -> int:
    block_rows = config.runtime.block_rows
    file_rows = block_rows * _BLOCKS_PER_FILE
    waiting, total, files = ROWS.empty_table(), 0, 0
    for batch in batches:
        waiting = pa.concat_tables([waiting, batch])
        while waiting.num_rows >= file_rows:
            run.write_work(files, waiting.slice(0, file_rows), block_rows)
            waiting, total, files = waiting.slice(file_rows), total + file_rows, files + 1
    if waiting.num_rows:
        run.write_work(files, waiting, _last_block_rows(waiting.num_rows, config))
    return total + int(waiting.num_rows)


def _last_block_rows(rows: int, config: Config) -> int:
    """Smaller blocks for a small rest, so that every worker gets some of it."""
    workers = config.runtime.workers or os.cpu_count() or 1
    fair = math.ceil(rows / (4 * workers))
    return min(config.runtime.block_rows, max(fair, config.runtime.slice_rows))
