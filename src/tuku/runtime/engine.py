"""The pipeline on Ray Data: blocks of the work list go to a pool of workers, counts come back.

Consecutive stages share one worker, so bytes and pixels never enter the object store (docs/adr/0001).
"""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import closing
from functools import partial
from typing import Any

import pyarrow.parquet as pq

from tuku.progress import Progress
from tuku.runtime.blocks import BlockStats
from tuku.runtime.control import halt_and_list
from tuku.runtime.crew import blocks_at_once
from tuku.runtime.interrupt import gently
from tuku.runtime.ledger import block_id
from tuku.runtime.stopping import Stopping
from tuku.runtime.worker import Assignment, Worker


def run_work_list(job: Assignment, progress: Progress) -> Generator[BlockStats, None, None]:
    """Run everything on a round's work list.

    Args:
        job: what is to be done.
        progress: told when the run is being stopped.

    Yields:
        The counts of each block, as soon as its rows are on disk.

    Raises:
        TukuError: what stopped the job, once the blocks that were under way have been put on disk.
    """
    blocks = _work_list(job)
    names = {block_id(**block) for block in blocks}
    grace_s = job.config.stop.grace_s
    stopping = Stopping(partial(halt_and_list, job.control), names, grace_s, progress)
    # Whatever ends this, Ray Data has to be through with its threads before Ray ends: one that asks for it later ends
    # the process.
    with gently(stopping.by_signal, grace_s), closing(_worked(job, blocks)) as worked:
        for stats in worked:
            yield stats
            if stopping.after(stats):
                break
    stopping.finish()


def _worked(job: Assignment, blocks: list[dict[str, Any]]) -> Generator[BlockStats, None, None]:
    import ray.data

    if not blocks:
        return
    pool = min(job.workers, len(blocks))
    at_once = blocks_at_once(job.models, job.config, pool)
    # from_arrow would have a task look at each of them, in processes that have yet to import Ray Data.
    dataset = ray.data.from_items(blocks, override_num_blocks=len(blocks)).map_batches(
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
        num_gpus=job.config.runtime.worker_gpus or None,
    )
    with closing(iter(dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0))) as batches:
        for batch in batches:
            for text in batch.column("stats").to_pylist():
                yield BlockStats.from_dict(json.loads(text))


def _work_list(job: Assignment) -> list[dict[str, Any]]:
    return [
        {"file": file, "row_group": group}
        for file in job.run.work(job.round_)
        for group in range(pq.read_metadata(job.run.storage.source(file)).num_row_groups)
    ]
