"""What a run that went well does for the lake: what an operator would otherwise have to think of."""

from __future__ import annotations

import time

from tuku.config import LakeConfig
from tuku.housekeeping.compaction import compact
from tuku.housekeeping.results import Compaction, Vacuum
from tuku.housekeeping.retention import Retention
from tuku.housekeeping.selection import small_files
from tuku.housekeeping.steps import Steps
from tuku.housekeeping.vacuum import find_removals, remove
from tuku.lake import Lake
from tuku.lake_view import LakeView


def run_compaction(lake: Lake, config: LakeConfig, steps: Steps, *, everything: bool = False) -> Compaction:
    """`compact`, by the configuration and with the time it takes."""
    started = time.perf_counter()
    done = compact(lake, config.part_bytes, steps, everything=everything)
    return Compaction(done, time.perf_counter() - started)


def run_vacuum(lake: Lake, config: LakeConfig, steps: Steps, *, dry_run: bool = False, thorough: bool = True) -> Vacuum:
    """`find_removals` and `remove`, by the configuration and with the time they take.

    Args:
        lake: nobody else works on it.
        config: how long things are kept.
        steps: see `Steps`.
        dry_run: nothing is removed.
        thorough: see `Survey.of`.
    """
    started = time.perf_counter()
    steps.told("vacuum", "looking for what can go")
    removals = find_removals(lake, Retention.of(config), thorough=thorough)
    if not dry_run:
        remove(lake, removals, steps)
    return Vacuum(removals, dry_run, time.perf_counter() - started)


def tidy(lake: Lake, config: LakeConfig, steps: Steps, *, thorough: bool) -> list[str]:
    """Compact a lake of too many small files, and remove what nothing needs any more.

    Args:
        lake: nobody else works on it.
        config: `compact_files` says from how many on; None: nothing is done at all.
        steps: see `Steps`.
        thorough: as of `run_vacuum`. After a run that changed nothing there is little to find, and a lake is large.

    Returns:
        What was done, in sentences; none if it was nothing.
    """
    if config.compact_files is None:
        return []
    done = []
    if small_files(LakeView.everything(lake), config.part_bytes) >= config.compact_files:
        compaction = run_compaction(lake, config, steps)
        done += [str(compaction)] if compaction.compacted else []
    vacuum = run_vacuum(lake, config, steps, thorough=thorough)
    return [*done, str(vacuum)] if vacuum.removals else done
