"""The dead letters that stand: rows that failed, and of which no newer run knows better.

The newest outcome counts, in committed runs. A dead letter is over once a newer run has the image in its parts, took it
out of the catalogue, or failed it again; and once a newer run has been through the whole manifest that the row stood
in: what that run did not fail again is well by now, or gone from the manifest.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tuku.dead_letters.outcomes import Outcomes, hashes
from tuku.errors import StorageError
from tuku.lake import Lake, Run, read_rows, unreplaced
from tuku.schemas import DEAD_LETTERS


@dataclass(frozen=True)
class Selection:
    """Which dead letters are wanted: those of one code, of one stage, of both, or all."""

    reason: str | None = None
    stage: str | None = None

    def of(self, letters: pa.Table) -> pa.Table:
        """Those of some letters (columns ``code`` and ``stage`` at least) that are wanted."""
        for column, value in (("code", self.reason), ("stage", self.stage)):
            if value is not None:
                letters = letters.filter(pc.equal(letters.column(column), value))
        return letters

    def __str__(self) -> str:
        """For people, to go behind "failed"; empty for all."""
        code = f" with the code {self.reason}" if self.reason else ""
        return code + (f" at the stage {self.stage}" if self.stage else "")


ALL = Selection()


@dataclass(frozen=True)
class DeadLetters:
    """The dead letters of a lake that stand.

    Everything is streamed but `Outcomes`: 12 bytes for each letter that no whole manifest has settled, and three times
    that while they are sorted.

    Args:
        runs: the runs that count, oldest first.
        compactions: hold the images of some of these runs, and say of each image in which one it succeeded.
    """

    runs: tuple[Run, ...]
    compactions: tuple[Run, ...] = ()

    @classmethod
    def of(cls, lake: Lake) -> DeadLetters:
        """Those of the runs that are committed now; one that is being written is not looked at."""
        runs = lake.committed_runs()
        compactions = tuple(run for run in unreplaced(runs) if run.replaces)
        return cls(tuple(run for run in runs if not run.replaces), compactions)

    def batches(self, columns: Sequence[str] = DEAD_LETTERS.names, selection: Selection = ALL) -> Iterator[pa.Table]:
        """The letters, newest run first, in tables of at most some thousand rows with these columns.

        Raises:
            StorageError: a file of the lake is missing or damaged; it names the file.
        """
        read = list(dict.fromkeys([*columns, "image_id", "manifest_uri", "code", "stage"]))
        for number, letters in self._unsettled(read):
            newest = self._outcomes.newest(hashes(letters))
            standing = selection.of(letters.filter(pa.array(newest == number)))
            if standing.num_rows:
                yield standing.select(list(columns))

    @cached_property
    def _outcomes(self) -> Outcomes:
        unsettled = self._unsettled(["image_id", "manifest_uri"])
        outcomes = Outcomes.of((number, hashes(letters)) for number, letters in unsettled)
        newer = list(enumerate(self.runs))[outcomes.oldest() + 1 :]
        replaced = frozenset[str]().union(*(run.replaces for run in self.compactions))
        for number, run in newer:
            # The images that compactions took over need not be there any more.
            images = () if run.run_id in replaced else run.parts()
            for name in (*images, *run.deleted(), *run.errors()):
                for rows in read_rows(run.storage, name, ["image_id"]):
                    outcomes.add(number, hashes(rows))
        for run in self.compactions if newer else ():
            if run.run_id > newer[0][1].run_id:
                self._add_compacted(outcomes, run)
        return outcomes

    def _add_compacted(self, outcomes: Outcomes, compaction: Run) -> None:
        ids = [run.run_id for run in self.runs]
        for name in compaction.parts():
            for rows in read_rows(compaction.storage, name, ["image_id", "run_id"]):
                made_by = rows.column("run_id").combine_chunks().dictionary_encode()
                # One that is gone was older than the next that is there, and newer than all before that.
                numbers = np.array([bisect_left(ids, run_id) for run_id in made_by.dictionary.to_pylist()], np.int32)
                outcomes.add(numbers[made_by.indices.to_numpy()], hashes(rows))

    def _unsettled(self, columns: list[str]) -> Iterator[tuple[int, pa.Table]]:
        """The number of the run and its letters, newest run first, less those that a whole manifest has settled."""
        settled: set[str] = set()
        for number, run in reversed(list(enumerate(self.runs))):
            manifest, whole = manifest_of(run)
            # A run that names its manifest has letters of no other: it need not be read to know that they are over.
            for name in () if manifest in settled else run.errors():
                for letters in read_rows(run.storage, name, columns):
                    over = pc.is_in(letters.column("manifest_uri"), value_set=pa.array(list(settled), pa.string()))
                    yield number, letters.filter(pc.invert(over))
            if manifest is not None and whole:
                settled.add(manifest)


def manifest_of(run: Run) -> tuple[str | None, bool]:
    """The one manifest that a run's rows stood in, or None; and whether it is done with the whole of it.

    Raises:
        StorageError: the run's plan.json is not what tuku writes.
    """
    name = f"{run.folder}/plan.json"
    if not run.storage.exists(name):
        return None, False
    try:
        plan = json.loads(run.storage.read(name))
        # A run that was interrupted may have planned all of it, but it has not worked all of it.
        whole = plan.get("complete") is True and run.marker is not None and not run.marker.sealed
        return plan.get("manifest_uri"), whole
    except (ValueError, AttributeError) as error:
        raise StorageError(
            f"{run.storage.where(name)} is not the plan that tuku writes.",
            "Put it back from a backup, or delete it: its dead letters then stand until their rows are worked again.",
        ) from error
