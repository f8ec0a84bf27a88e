"""Keeping the lake small: many small files become few large ones, and what nothing needs any more is removed."""

from tuku.housekeeping.compaction import Compacted, compact
from tuku.housekeeping.overview import Overview
from tuku.housekeeping.results import Compaction, Vacuum
from tuku.housekeeping.retention import Retention
from tuku.housekeeping.selection import small_files
from tuku.housekeeping.steps import Steps
from tuku.housekeeping.tidying import run_compaction, run_vacuum, tidy
from tuku.housekeeping.vacuum import Removal, find_removals, remove

__all__ = [
    "Compacted",
    "Compaction",
    "Overview",
    "Removal",
    "Retention",
    "Steps",
    "Vacuum",
    "compact",
    "find_removals",
    "remove",
    "run_compaction",
    "run_vacuum",
    "small_files",
    "tidy",
]
