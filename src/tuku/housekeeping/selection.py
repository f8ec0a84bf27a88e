"""Which runs a compaction takes: the newest ones, from the oldest that is worth it on.

It is always the newest, so that what a compaction holds is newer than all that it leaves. A run that is large and
whole stays as it is until the runs after it have grown as large: over the years every row is copied a few times, the
logarithm of how often, and not every night.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuku.lake_view import LakeView
from tuku.run import Run


@dataclass(frozen=True)
class RunSize:
    """A run of the current view.

    Attributes:
        files: files of images.
        small: how many of them are smaller than half of what they should be.
        size: of the files together, bytes.
        rows: in these files.
        live: how many of the rows are current.
    """

    run: Run
    files: int
    small: int
    size: int
    rows: int
    live: int

    @property
    def dead(self) -> int:
        """Rows that newer ones have superseded."""
        return self.rows - self.live


def run_sizes(view: LakeView, part_bytes: int) -> list[RunSize]:
    """The runs of a view, oldest first.

    Args:
        view: of all models' vectors.
        part_bytes: how large a file of images should be.
    """
    live = view.live_rows()
    return [_size_of(run, live[run.run_id], part_bytes) for run in view.runs]


def small_files(view: LakeView, part_bytes: int) -> int:
    """How many files of a view are smaller than half of what they should be; no file is opened."""
    return sum(_size_of(run, 0, part_bytes).small for run in view.runs)


def choose_runs(sizes: Sequence[RunSize], *, everything: bool = False) -> tuple[Run, ...]:
    """The runs to compact into one, oldest first; none if that would bring nothing.

    Args:
        sizes: all runs of the view, oldest first.
        everything: all runs rather than those that are worth it.
    """
    start, newer_bytes = len(sizes), 0
    for number in reversed(range(len(sizes))):
        if everything or _worth_it(sizes[number], newer_bytes):
            start = number
        newer_bytes += sizes[number].size
    chosen = sizes[start:]
    fewer_files = sum(size.files for size in chosen) > 1 and sum(size.small for size in chosen) > 1
    return tuple(size.run for size in chosen) if fewer_files or any(size.dead for size in chosen) else ()


def part_sizes(run: Run) -> list[int]:
    """Bytes of each of a run's files of images."""
    found = {file.name: file.size for file in run.storage.walk(f"{run.folder}/parts", depth=1)}
    # What is behind a link is not walked to.
    return [found[name] if name in found else run.storage.size(name) for name in run.parts()]


def _worth_it(size: RunSize, newer_bytes: int) -> bool:
    mostly_small, mostly_dead = 2 * size.small > size.files, 2 * size.live < size.rows
    return size.files > 0 and (mostly_small or mostly_dead or size.size <= newer_bytes)


def _size_of(run: Run, live: int, part_bytes: int) -> RunSize:
    sizes = part_sizes(run)
    small = sum(2 * size < part_bytes for size in sizes)
    return RunSize(run, len(sizes), small, sum(sizes), run.rows(), live)
