"""Vacuum: what nothing needs any more is removed, in an order that keeps the lake readable at every moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuku.housekeeping.loads import give_up, idle_ledgers
from tuku.housekeeping.retention import Retention
from tuku.housekeeping.steps import Steps
from tuku.housekeeping.survey import Reason, Survey
from tuku.lake import Lake, Run
from tuku.storage import Stored


@dataclass(frozen=True)
class Removal:
    """Files that can go for one reason.

    Attributes:
        reason: why.
        run: in whose folder they are; None: in the lake's own.
        files: in the order in which they are to go.
    """

    reason: Reason
    run: Run | None
    files: tuple[Stored, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(file.size for file in self.files)


def find_removals(lake: Lake, retention: Retention, *, thorough: bool = True) -> list[Removal]:
    """What a vacuum would remove now, oldest run first. Nothing is written. Arguments and errors: see `Survey.of`."""
    survey = Survey.of(lake, retention, thorough=thorough)
    removals = [
        Removal(reason, run, tuple(files)) for run in lake.runs() for reason, files in survey.of_run(run).items()
    ]
    removals += [Removal("loads", None, (file,)) for file in idle_ledgers(lake, retention)]
    stray = tuple(file for file in lake.storage.walk("", depth=1) if file.unfinished and survey.stale(file))
    return [*removals, Removal("unfinished", None, stray)] if stray else removals


def remove(lake: Lake, removals: Sequence[Removal], steps: Steps) -> None:
    """Remove what was found; nobody else works on the lake.

    A file that a marker lists is taken off the list first: who begins to read the lake meanwhile misses nothing.
    """
    for number, removal in enumerate(removals, start=1):
        steps.require()
        steps.told("vacuum", f"{number:,} of {len(removals):,}")
        if removal.reason == "loads":
            give_up(lake, removal.files)
            continue
        names = [file.name for file in removal.files]
        if removal.run is not None:
            removal.run.drop(names)
        for name in names:
            lake.storage.remove(name)
        if removal.run is not None:
            lake.storage.remove_empty(removal.run.folder)
