"""Keeping the lake small: many small files become few large ones, and what nothing needs any more is removed."""

from tuku.housekeeping.compaction import Compacted, compact
from tuku.housekeeping.retention import Retention
from tuku.housekeeping.selection import small_files
from tuku.housekeeping.steps import Steps
from tuku.housekeeping.vacuum import Removal, find_removals, remove

__all__ = ["Compacted", "Removal", "Retention", "Steps", "compact", "find_removals", "remove", "small_files"]
