"""The pipeline on Ray Data: blocks of the work list go to a pool of workers, counts come back.

Consecutive stages share one worker, so bytes and pixels never enter the object store (docs/adr/0001).
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from tuku.lake import Run
from tuku.runtime.blocks import BlockStats
from tuku.runtime.crew import blocks_at_once
from tuku.runtime.ledger import Halt
from tuku.runtime.worker import Assignment, Worker


def run_work_list(job: Assignment) -> Iterator[BlockStats]:
    """Run everything on the run's work list.

    Args:
        job: what is to be done.

    Yields:
        The counts of each block, as soon as its rows are on disk.

    Raises:
        TukuError: what stopped the job, once the blocks that were under way have been put on disk.
    """
    stopping = _Stopping(job)
    for stats in _blocks(job):
        yield stats
        if stopping.after(stats):
            break
    stopping.finish()


class _Stopping:
    """Whether the job is to be stopped, and whether what was under way then has come in."""

    def __init__(self, job: Assignment) -> None:
        self._control = job.control
        self._halt: Halt | None = None
        self._seen: set[str] = set()

    def after(self, stats: BlockStats) -> bool:
        """Whether nothing needs to be waited for after this block."""
        import ray

        self._seen.add(stats.block)
        self._halt = self._halt or stats.fatal
        if self._halt is None:
            return False
        if self._control is None:
            return True
        # Nobody enters any more: whatever has been entered comes in.
        return bool(ray.get(self._control.entered_blocks.remote()) <= self._seen)

    def finish(self) -> None:
        """Raise what stopped the job, if anything did."""
        if self._halt is not None:
            raise self._halt.error()


def _blocks(job: Assignment) -> Iterator[BlockStats]:
    import ray.data

    blocks = _work_list(job.run)
    if not blocks:
        return
    pool = min(job.workers, len(blocks))
    at_once = blocks_at_once(job.models, job.config, pool)
    dataset = ray.data.from_arrow(blocks).map_batches(
        Worker,
        batch_size=None,
        batch_format="pyarrow",
        fn_constructor_args=(job,),
        compute=ray.data.ActorPoolStrategy(
            min_size=1,
            max_size=pool,
            initial_size=pool,
            max_concurrent_calls_per_actor=at_once,
            max_tasks_in_flight_per_actor=max(2, at_once),  # none waits at one worker while another has nothing to do
            enable_true_multi_threading=at_once > 1,
        ),
        num_cpus=job.config.runtime.worker_cpus,
    )
    for batch in dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
        for text in batch.column("stats").to_pylist():
            yield BlockStats.from_dict(json.loads(text))


def _work_list(run: Run) -> list[pa.Table]:
    return [
        pa.table({"file": [file], "row_group": [group]})
        for file in run.work()
        for group in range(pq.read_metadata(run.storage.path(file)).num_row_groups)
    ]
