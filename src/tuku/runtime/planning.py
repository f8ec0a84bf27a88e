"""Planning a run: manifest and lake are joined, bucket by bucket, and what needs work becomes the run's work list.

    manifest ─► buckets of ids ─┐
                                ├─► `plan_bucket` ─► groups of lake files ─► what is known is added ─► work list
    lake ────► buckets of ids ──┘

Neither side is ever held whole. A small catalogue is one bucket and one group, planned here; a large one is planned by
tasks on the cluster.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tuku.config import Config
from tuku.lake_view import LakeFile, LakeView
from tuku.marker import KINDS
from tuku.pipeline import Models
from tuku.progress import Progress
from tuku.runtime.parallel import LazyCluster
from tuku.schemas import IMAGES, KNOWN, PAID, PLANNED, ROWS, WORK
from tuku.spill import Spill, spilled
from tuku.stages.metadata import check_metadata
from tuku.stages.plan import Counts, Wanted, bucket_of, current, plan_bucket
from tuku.stages.twins import CAPTION, VECTORS, content_keys
from tuku.storage import Storage

_SMALL_ROWS = 200_000
"""So many manifest rows, and rows of the lake, are planned in one go: about 200 MB."""
_BUCKETS = 128
_GROUP_ROWS = 100_000  # rows of lake files that one task adds what is known from

_MANIFEST, _KNOWN, _PLANNED, _MISSING, _REWRITES, _WORK = "manifest", "known", "planned", "missing", "rewrites", "work"


@dataclass(frozen=True)
class Planner:
    """Plans one manifest against one view of the lake.

    Args:
        config: the configuration.
        models: as configured; rows made by others are done again.
        view: what the lake holds.
        scratch: a folder for what is set aside meanwhile; on a cluster, one that all its nodes see.
        restate: see `Wanted.restate`.
    """

    config: Config
    models: Models
    view: LakeView
    scratch: Storage
    restate: bool = False

    @property
    def wanted(self) -> Wanted:
        """What rows are compared with."""
        models = self.models
        return Wanted(models.caption_fingerprint, models.embedding_fingerprint, self.config.plan.compare, self.restate)

    def plan(self, tables: Iterable[pa.Table], cluster: LazyCluster, progress: Progress) -> Planned:
        """Read the manifest and compare it with the lake.

        Args:
            tables: the manifest's rows, in schema `ROWS`.
            cluster: does the work where there is much of it.
            progress: told how many manifest rows were read.

        Raises:
            ManifestError: the manifest cannot be read.
        """
        groups = self._groups()
        buckets = self._set_manifest_aside(tables, progress)
        contents = [*cluster.map(partial(_set_known_aside, self, buckets), list(enumerate(groups)))]
        progress.phase("plan", "comparing with the lake")
        counts = Counts()
        for counted in cluster.map(partial(_plan_bucket, self, groups), range(buckets)):
            counts.add(counted)
        for _ in cluster.map(partial(_add_known, self), range(len(groups))):
            pass
        merged = np.unique(np.concatenate([np.empty(0, np.uint64), *contents]))
        return Planned(counts, merged, self.scratch, len(groups), buckets)

    def _groups(self) -> list[list[LakeFile]]:
        """The lake's files in lots of at most some 100,000 rows; one lot for a small lake."""
        most = _GROUP_ROWS if self.view.stored_rows() > _SMALL_ROWS else math.inf
        rows = {name: each for run in self.view.runs for kind in KINDS for name, each in run.file_rows(kind).items()}
        groups: list[list[LakeFile]] = []
        filled = math.inf
        for file in self.view.files:
            filled += rows[file.name]
            if filled > most or not groups:
                groups.append([])
                filled = rows[file.name]
            groups[-1].append(file)
        return groups

    def _set_manifest_aside(self, tables: Iterable[pa.Table], progress: Progress) -> int:
        """Read the manifest into buckets; how many there are."""
        waiting: list[pa.Table] = []
        rows, buckets = 0, 1 if self.view.stored_rows() <= _SMALL_ROWS else _BUCKETS
        with Spill(self.scratch, _MANIFEST, ROWS) as spill:
            for batch in tables:
                waiting.append(check_metadata(batch, self.config.milvus.indexed_metadata))
                rows += batch.num_rows
                progress.phase("plan", f"{rows:,} rows read")
                if rows > _SMALL_ROWS:
                    buckets = _BUCKETS
                    self._set_aside(spill, waiting, buckets)
                    waiting = []
            self._set_aside(spill, waiting, buckets)
        return buckets

    def _set_aside(self, spill: Spill, tables: Sequence[pa.Table], buckets: int) -> None:
        for table in tables:
            spill.add(table, bucket_of(table.column("image_id").to_pylist(), buckets))


@dataclass(frozen=True)
class Planned:
    """A plan, set aside on disk.

    Attributes:
        counts: of the manifest's rows.
        contents: that the lake has answers for: see `Contents.keys`.
    """

    counts: Counts
    contents: np.ndarray = field(repr=False)
    _scratch: Storage
    _groups: int
    _buckets: int

    def work(self) -> Iterator[pa.Table]:
        """The rows that need work or have failed already (schema `WORK`)."""
        for number in range(self._buckets):
            yield from spilled(self._scratch, f"{_WORK}-new", number)
        for number in range(self._groups):
            yield from spilled(self._scratch, _WORK, number)

    def rewrites(self) -> Iterator[pa.Table]:
        """Images whose row has changed and whose picture has not, as they are to be (schema `IMAGES`)."""
        for number in range(self._groups):
            yield from spilled(self._scratch, _REWRITES, number)

    def missing(self) -> Iterator[pa.Table]:
        """Ids of images that the lake has and the manifest has not (one column ``image_id``)."""
        for number in range(self._buckets):
            yield from spilled(self._scratch, _MISSING, number)


def _set_known_aside(planner: Planner, buckets: int, group: tuple[int, Sequence[LakeFile]]) -> np.ndarray:
    number, files = group
    contents = [np.empty(0, np.uint64)]
    with Spill(planner.scratch, _KNOWN, KNOWN, str(number)) as spill:
        for file in files:
            for table in file.known():
                spill.add(table, bucket_of(table.column("image_id").to_pylist(), buckets))
                contents.append(_answered(table, planner.wanted))
    return np.unique(np.concatenate(contents))


def _answered(known: pa.Table, wanted: Wanted) -> np.ndarray:
    """The contents that the lake has a caption or vectors for, by the models configured now; see `Contents`."""
    captions = pc.fill_null(pc.equal(known.column("caption_fingerprint"), wanted.caption_fingerprint), False)
    vectors = pc.fill_null(pc.equal(known.column("embedding_fingerprint"), wanted.embedding_fingerprint), False)
    answers = CAPTION * captions.to_numpy().astype(np.uint64) | VECTORS * vectors.to_numpy().astype(np.uint64)
    there = answers > 0
    return content_keys(known.column("content_sha256").filter(pa.array(there)).to_pylist(), answers[there])


def _plan_bucket(planner: Planner, groups: Sequence[Sequence[LakeFile]], bucket: int) -> Counts:
    scratch = planner.scratch
    rows = pa.concat_tables([ROWS.empty_table(), *spilled(scratch, _MANIFEST, bucket)])
    known = pa.concat_tables([KNOWN.empty_table(), *spilled(scratch, _KNOWN, bucket)])
    planned = plan_bucket(rows, current(known, planner.wanted), planner.wanted)
    new = pc.is_null(planned.rows.column("place"))
    nothing_known = planned.rows.filter(pc.or_(new, pc.is_valid(planned.rows.column("code"))))
    with Spill(scratch, f"{_WORK}-new", WORK, str(bucket)) as spill:
        spill.add(_work(nothing_known, None), np.full(nothing_known.num_rows, bucket))
    others = planned.rows.filter(pc.and_(pc.invert(new), pc.is_null(planned.rows.column("code"))))
    with Spill(scratch, _PLANNED, PLANNED, str(bucket)) as spill:
        firsts = np.array([files[0].number for files in groups], np.int64) << 32
        spill.add(others, np.searchsorted(firsts, others.column("place").to_numpy(), side="right") - 1)
    missing = pa.table({"image_id": planned.missing})
    with Spill(scratch, _MISSING, missing.schema, str(bucket)) as spill:
        spill.add(missing, np.full(missing.num_rows, bucket))
    return planned.counts


def _add_known(planner: Planner, group: int) -> None:
    rows = pa.concat_tables([PLANNED.empty_table(), *spilled(planner.scratch, _PLANNED, group)]).sort_by("place")
    how = rows.column("how")
    with Spill(planner.scratch, _WORK, WORK, str(group)) as spill:
        for planned, known in _with_answers(planner, rows.filter(pc.not_equal(how, "rewrite"))):
            spill.add(_work(planned, known), np.full(planned.num_rows, group))
    rewritten = rows.filter(pc.equal(how, "rewrite"))
    with Spill(planner.scratch, _REWRITES, IMAGES, str(group)) as spill:
        for planned, images in _matched(planner.view, rewritten, IMAGES.names):
            spill.add(_rewritten(planned, images), np.full(planned.num_rows, group))


def _matched(view: LakeView, planned: pa.Table, columns: Sequence[str]) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Planned rows, sorted by place, with the lake's rows of the same images."""
    start = 0
    for places, images in view.at(planned.column("place").to_numpy(), columns):
        yield planned.slice(start, len(places)), images
        start += len(places)


def _with_answers(planner: Planner, planned: pa.Table) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Planned rows with what the lake has of them that can be used again (schema `PAID`).

    Of a row to be rechecked that is only its content: if nothing has changed nothing more is needed.
    """
    wanted = planner.wanted
    for rows, known in _matched(planner.view, planned, PAID.names):
        asked = pc.equal(rows.column("how"), "work")
        captions = pc.and_(asked, pc.equal(known.column("caption_fingerprint"), wanted.caption_fingerprint))
        vectors = pc.and_(asked, pc.equal(known.column("embedding_fingerprint"), wanted.embedding_fingerprint))
        usable = {"caption": captions, "keywords": captions, "image_embedding": vectors, "text_embedding": vectors}
        columns = [
            pc.if_else(usable[field.name], known.column(field.name), pa.scalar(None, field.type))
            if field.name in usable
            else known.column(field.name)
            for field in PAID
        ]
        yield rows, pa.table(columns, schema=PAID)


def _work(planned: pa.Table, known: pa.Table | None) -> pa.Table:
    rows = planned.num_rows
    if known is None:
        answers = pa.nulls(rows, WORK.field("known").type)
    else:
        arrays = [column.combine_chunks() for column in known.columns]
        answers = pa.StructArray.from_arrays(arrays, fields=list(PAID))
    how = planned.column("how")
    revise = pc.equal(how, "revise")
    made = {"recheck": pc.or_(revise, pc.equal(how, "recheck")), "revise": revise, "known": answers}
    columns = [made[name] if name in made else planned.column(name) for name in WORK.names]
    return pa.table(columns, schema=WORK)


def _rewritten(planned: pa.Table, images: pa.Table) -> pa.Table:
    # Its source stays what it was when the picture was looked at: `plan.compare: uri` has not looked.
    columns = [planned.column(name) if name == "metadata" else images.column(name) for name in IMAGES.names]
    return pa.table(columns, schema=IMAGES)
