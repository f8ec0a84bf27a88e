"""The lake's current view: every image once, as its newest committed run left it. Streamed."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import dropwhile

import pyarrow as pa
import pyarrow.compute as pc

from tuku.lake import Lake, Run, count_rows, read_rows
from tuku.schemas import IMAGES


@dataclass(frozen=True)
class LakeView:
    """What readers of the lake see; the runs are fixed when the view is made.

    Args:
        lake: where the files are.
        runs: the runs that count, oldest first.
        embedding_fingerprint: leave out rows whose vectors were filled otherwise; None keeps them.
    """

    lake: Lake
    runs: tuple[Run, ...]
    embedding_fingerprint: str | None = None

    @classmethod
    def everything(cls, lake: Lake) -> LakeView:
        """All committed runs, whatever model filled their vectors."""
        return cls(lake, tuple(lake.committed_runs()))

    @classmethod
    def of_one_space(cls, lake: Lake) -> LakeView:
        """All committed runs, but only vectors of the model that the lake is stamped with."""
        runs, stamp = tuple(lake.committed_runs()), lake.stamp()
        # A lake of a single run has a single model.
        return cls(lake, runs, stamp.embedding_fingerprint if stamp is not None and len(runs) > 1 else None)

    def run_ids(self) -> set[str]:
        """The runs this view is made of."""
        return {run.run_id for run in self.runs}

    def rows(self) -> int:
        """Number of images."""
        return self._rows

    @cached_property
    def _rows(self) -> int:
        filled = [run for run in self.runs if run.parts()]
        if len(filled) <= 1 and self.embedding_fingerprint is None:
            return sum(count_rows(run.storage, run.parts()) for run in filled)
        return sum(table.num_rows for table in self.batches(["image_id"]))

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """All images, newest run first, in tables of at most some thousand rows (schema `IMAGES` or its columns)."""
        wanted = list(columns or IMAGES.names)
        return (table.select(wanted) for table in self._live(wanted))

    def changed_since(self, run_ids: set[str]) -> Iterator[pa.Table]:
        """The images of this view that came with a run not among `run_ids`."""
        return self._live(IMAGES.names, skip=run_ids)

    def sample(self, size: int, seed: int) -> pa.Table:
        """At most `size` images drawn evenly, the same ones for the same seed and lake (schema `IMAGES`)."""
        chosen = set(random.Random(seed).sample(range(self.rows()), min(size, self.rows())))  # noqa: S311  no secret
        tables, start = [IMAGES.empty_table()], 0
        for table in self._live(IMAGES.names):
            positions = [i for i in range(table.num_rows) if start + i in chosen]
            start += table.num_rows
            if positions:
                tables.append(table.take(positions))
        return pa.concat_tables(tables)

    def _live(self, columns: Sequence[str], skip: Collection[str] = ()) -> Iterator[pa.Table]:
        """The live rows of the runs not in `skip`, newest run first. Runs older than all of those are not read."""
        read = list(
            dict.fromkeys([*columns, "image_id", *(["embedding_fingerprint"] if self.embedding_fingerprint else [])])
        )
        runs = list(dropwhile(lambda run: run.run_id in skip, self.runs))
        newer: set[str] = set()
        for run in reversed(runs):
            skipped = run.run_id in skip
            ids: list[str] = []
            for name in run.parts():
                for table in read_rows(run.storage, name, ["image_id"] if skipped else read):
                    ids.extend(table.column("image_id").to_pylist())
                    if not skipped and (live := self._current(table, newer)).num_rows:
                        yield live
            if run is not runs[0]:
                newer.update(ids)

    def _current(self, table: pa.Table, newer: set[str]) -> pa.Table:
        if newer:
            table = table.filter(pa.array([i not in newer for i in table.column("image_id").to_pylist()], pa.bool_()))
        if self.embedding_fingerprint is not None:
            table = table.filter(pc.equal(table.column("embedding_fingerprint"), self.embedding_fingerprint))
        return table
