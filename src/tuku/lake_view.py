"""The lake's current view: every image once, as its newest committed run left it. Streamed.

A row's *place* is the number of its file, counted from the oldest, in the upper 32 bits, and its number in that file in
the lower: of two rows of one image the one at the larger place is the newer.
"""

from __future__ import annotations

import random
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tuku.lake import Lake, Run, read_rows, unreplaced
from tuku.schemas import DELETED, IMAGES, KNOWN

_ROW_BITS = 32


@dataclass(frozen=True)
class LakeFile:
    """A file of the view, with its number in it.

    Attributes:
        deleted: it lists images that a snapshot took out.
    """

    number: int
    run: Run
    name: str
    deleted: bool = False

    def brings_other_than(self, run_ids: Container[str]) -> bool:
        """Whether any of its rows came with a run not among these. Only a compaction has rows that others made."""
        if self.run.run_id in run_ids:
            return False
        return not self.run.replaces or any(
            run_id not in run_ids
            for table in read_rows(self.run.storage, self.name, ["run_id"])
            for run_id in table.column("run_id").unique().to_pylist()
        )

    def tables(self, columns: Sequence[str]) -> Iterator[tuple[int, pa.Table]]:
        """Its rows in tables of some thousand, each with the place of its first row."""
        place = self.number << _ROW_BITS
        for table in read_rows(self.run.storage, self.name, list(columns)):
            yield place, table
            place += table.num_rows

    def known(self) -> Iterator[pa.Table]:
        """What the planner needs of it (schema `KNOWN`)."""
        there = [name for name in (DELETED if self.deleted else IMAGES).names if name in KNOWN.names]
        for place, table in self.tables(there):
            made = {
                **{name: table.column(name) for name in there},
                "place": np.arange(place, place + table.num_rows),
                "deleted": pa.repeat(self.deleted, table.num_rows),
            }
            columns = [made.get(field.name, pa.nulls(table.num_rows, field.type)) for field in KNOWN]
            yield pa.table(columns, schema=KNOWN)


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
        """All committed runs, whatever model filled their vectors. Compactions stand for the runs that they replace."""
        return cls(lake, unreplaced(lake.committed_runs()))

    @classmethod
    def with_history(cls, lake: Lake) -> LakeView:
        """All committed runs, those too that compactions have replaced, as far as their files are still kept.

        It shows the same images, and has all answers that may be needed again, those of deleted images among them.
        """
        return cls(lake, tuple(lake.committed_runs()))

    @classmethod
    def of_one_space(cls, lake: Lake) -> LakeView:
        """All committed runs, but only vectors of the model that the lake is stamped with."""
        runs, stamp = unreplaced(lake.committed_runs()), lake.stamp()
        # A lake of a single run has a single model.
        several = len(runs) > 1 or any(run.replaces for run in runs)
        return cls(lake, runs, stamp.embedding_fingerprint if stamp is not None and several else None)

    @cached_property
    def files(self) -> tuple[LakeFile, ...]:
        """All files of its runs, oldest first. What a run deletes it does not bring, so either order does."""
        found = [
            (run, name, deleted)
            for run in self.runs
            for deleted, names in ((False, run.parts()), (True, run.deleted()))
            for name in names
        ]
        return tuple(LakeFile(number, *file) for number, file in enumerate(found))

    def run_ids(self) -> set[str]:
        """The runs this view is made of, and those that the compactions among them replace."""
        return {run.run_id for run in self.runs}.union(*(run.replaces for run in self.runs))

    def sources(self) -> list[str]:
        """Names of its files. Runs that brought and deleted nothing have none, and files are never written again.

        As long as these are the same, so are the images and their order; a compaction changes them.
        """
        return [file.name for file in self.files]

    def rows(self) -> int:
        """Number of images."""
        return self._rows

    @cached_property
    def _rows(self) -> int:
        if self.embedding_fingerprint is not None:
            return sum(table.num_rows for table in self.batches(["image_id"]))
        places = self._live_places
        if places is None:
            return self.stored_rows()
        deletions = [file.number for file in self.files if file.deleted]
        return len(places) - int(np.isin(places >> _ROW_BITS, deletions).sum())

    def stored_rows(self) -> int:
        """Number of rows in its files, those that newer ones have superseded included."""
        return sum(run.rows() for run in self.runs)

    def live_rows(self) -> dict[str, int]:
        """How many rows of each run are current, by run id."""
        places = self._live_places
        if places is None:
            return {run.run_id: run.rows() for run in self.runs}
        live = dict.fromkeys((run.run_id for run in self.runs), 0)
        for file, rows in zip(self.files, np.bincount(places >> _ROW_BITS, minlength=len(self.files)), strict=True):
            live[file.run.run_id] += 0 if file.deleted else int(rows)
        return live

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """All images, newest run first, in tables of at most some thousand rows (schema `IMAGES` or its columns)."""
        return self._live(list(columns or IMAGES.names))

    def changed_since(self, run_ids: Container[str]) -> Iterator[pa.Table]:
        """The images of this view that came with a run not among `run_ids` (schema `IMAGES`).

        Those in a compaction came with the run that made them.
        """
        return self._live(IMAGES.names, skip=run_ids)

    def count_changed_since(self, run_ids: Container[str]) -> int:
        """How many images `changed_since` has."""
        return sum(table.num_rows for table in self._live(["image_id"], skip=run_ids))

    def deleted_since(self, run_ids: Container[str]) -> Iterator[pa.Array]:
        """Ids of images that a run not among `run_ids` took out, and that are not back."""
        recent = [
            file for file in self.files if file.deleted and file.run.run_id not in run_ids and not file.run.replaces
        ]
        yield from self._deleted_before_compactions(run_ids)
        if not recent:
            return
        places = _newest(self.files[recent[0].number :])
        for file in recent:
            for place, table in file.tables(["image_id"]):
                if (gone := _at(table, place, places)).num_rows:
                    yield gone.column("image_id").combine_chunks()

    def at(self, places: np.ndarray, columns: Sequence[str]) -> Iterator[tuple[np.ndarray, pa.Table]]:
        """Rows by where they stand.

        Args:
            places: sorted, int64 (n,).
            columns: of `IMAGES`.

        Yields:
            Some of the places and their rows, in order.
        """
        for number in np.unique(places >> _ROW_BITS):
            for place, table in self.files[number].tables(columns):
                low, high = np.searchsorted(places, (place, place + table.num_rows))
                if high > low:
                    yield places[low:high], table.take(pa.array(places[low:high] - place))

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

    def _deleted_before_compactions(self, run_ids: Container[str]) -> Iterator[pa.Array]:
        """As `deleted_since`, for runs that were replaced. Their lists of deletions are kept longer than their images.

        Those who have seen what a compaction replaces, or the compaction, need not read anything.
        """
        names = [
            name
            for run in self.runs
            if run.run_id not in run_ids and any(replaced not in run_ids for replaced in run.replaces)
            for each in (run, *(Run(run.storage, old) for old in sorted(run.replaces) if old not in run_ids))
            for name in each.deleted()
        ]
        listed = [table.column("image_id") for name in names for table in read_rows(self.lake.storage, name)]
        gone = pa.chunked_array(listed, pa.string()).unique()
        for table in self.batches(["image_id"]) if len(gone) else ():
            gone = gone.filter(pc.invert(pc.is_in(gone, value_set=table.column("image_id"))))
        if len(gone):
            yield gone

    def _live(self, columns: list[str], skip: Container[str] | None = None) -> Iterator[pa.Table]:
        """The live rows that came with runs not in `skip`, newest first. Runs older than all of those are not read."""
        wanted = [file for file in self.files if not file.deleted and (skip is None or file.brings_other_than(skip))]
        if not wanted:
            return
        of_space = [] if self.embedding_fingerprint is None else ["embedding_fingerprint"]
        first = wanted[0].number
        places = self._live_places if first == 0 else _newest(self.files[first:])
        for file in sorted(wanted, key=lambda file: file.run.run_id, reverse=True):
            origin = ["run_id"] if skip is not None and file.run.replaces else []
            for place, table in file.tables(list(dict.fromkeys([*columns, *of_space, *origin]))):
                live = _at(table, place, places)
                if self.embedding_fingerprint is not None:
                    live = live.filter(pc.equal(live.column("embedding_fingerprint"), self.embedding_fingerprint))
                if skip is not None and file.run.replaces:
                    live = _of_other_runs(live, skip)
                if live.num_rows:
                    yield live.select(columns)

    @cached_property
    def _live_places(self) -> np.ndarray | None:
        return _newest(self.files)


def _newest(files: Sequence[LakeFile]) -> np.ndarray | None:
    """Sorted places of each image's newest row in these files (deletions too); None if no image comes twice.

    Memory: about 50 bytes for each row in them.
    """
    if len({file.run.run_id for file in files}) <= 1 and not any(file.deleted for file in files):
        return None
    ids = [
        pa.table({"image_id": table.column("image_id"), "place": np.arange(place, place + table.num_rows)})
        for file in files
        for place, table in file.tables(["image_id"])
    ]
    newest = pa.concat_tables(ids).group_by("image_id", use_threads=False).aggregate([("place", "max")])
    return np.sort(newest.column("place_max").to_numpy())


def _at(table: pa.Table, place: int, places: np.ndarray | None) -> pa.Table:
    """Those of its rows that stand at one of these places, the first row standing at `place`."""
    if places is None:
        return table
    low, high = np.searchsorted(places, (place, place + table.num_rows))
    return table if high - low == table.num_rows else table.take(pa.array(places[low:high] - place))


def _of_other_runs(table: pa.Table, run_ids: Container[str]) -> pa.Table:
    """The rows that did not come with one of these runs."""
    origins = table.column("run_id")
    there = origins.unique().to_pylist()
    others = [run_id for run_id in there if run_id not in run_ids]
    return (
        table if len(others) == len(there) else table.filter(pc.is_in(origins, value_set=pa.array(others, pa.string())))
    )
