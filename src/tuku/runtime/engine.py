"""The pipeline on Ray Data: blocks of the work list go to a pool of workers, counts come back.

Consecutive stages share one worker, so bytes and pixels never enter the object store (docs/adr/0001).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq

from tuku import errors
from tuku.config import Config
from tuku.errors import TukuError
from tuku.lake import Run
from tuku.pipeline import Models, Toolbox
from tuku.runtime.blocks import BlockStats, run_block


class Worker:
    """The Ray actor: models are loaded once, then one block after the other is worked."""

    def __init__(self, config: Config, models: Models, run: Run) -> None:
        from tuku.fetching import GuardedFetcher
        from tuku.providers.registry import create_captioner, create_embedder

        self._run = run
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._box = Toolbox(
            config=config,
            models=models,
            fetcher=GuardedFetcher(config.fetch),
            captioner=create_captioner(config.caption),
            embedder=create_embedder(config.embed),
            sink=run,
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
        try:
            with pq.ParquetFile(self._run.storage.path(file)) as work:
                rows = work.read_row_group(row_group)
            return run_block(rows, self._box, self._ahead)
        except TukuError as error:
            # Ray would wrap an exception in layers of its own: what stops the job travels as data.
            return BlockStats(fatal=(type(error).__name__, error.message, error.remedy))


def run_work_list(config: Config, models: Models, run: Run, workers: int) -> Iterator[BlockStats]:
    """Run everything on the run's work list.

    Yields:
        The counts of each block, as soon as its rows are on disk.

    Raises:
        TukuError: what stopped the job on a worker.
    """
    import ray.data

    blocks = [
        pa.table({"file": [file], "row_group": [group]})
        for file in run.work()
        for group in range(pq.read_metadata(run.storage.path(file)).num_row_groups)
    ]
    if not blocks:
        return
    pool = min(workers, len(blocks))
    dataset = ray.data.from_arrow(blocks).map_batches(
        Worker,
        batch_size=None,
        batch_format="pyarrow",
        fn_constructor_args=(config, models, run),
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=pool, initial_size=pool),
        num_cpus=config.runtime.worker_cpus,
    )
    for batch in dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
        for text in batch.column("stats").to_pylist():
            stats = BlockStats.from_dict(json.loads(text))
            if stats.fatal is not None:
                name, message, remedy = stats.fatal
                raise getattr(errors, name, TukuError)(message, remedy)
            yield stats
