"""Compaction: the current images of several runs become those of one, in few large files.

The new run is like any other, but for its marker, which says which runs it replaces. Until that is written, nothing has
changed for anybody: a compaction that is killed leaves files that are on no list. Rows stay as they are, the id of the
run that made them included, so that Milvus and the dead letters see no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from tuku import units
from tuku.errors import StorageError, TukuError
from tuku.housekeeping.digest import RowsDigest
from tuku.housekeeping.part_writer import write_parts
from tuku.housekeeping.selection import RunSize, choose_runs, part_sizes, run_sizes
from tuku.housekeeping.steps import Steps
from tuku.lake import Lake, Run
from tuku.lake_view import LakeView
from tuku.schemas import IMAGES

_SPARE = 1.1  # of the room that is needed, in case the files compress worse


@dataclass(frozen=True)
class Compacted:
    """What a compaction did.

    Attributes:
        run_id: of the new run.
        replaced: the runs that it replaces.
        rows: images that were copied.
        superseded: rows that were not, because newer ones have taken their place.
        files_before: of images, in the runs that were replaced.
        files: of images, now.
        bytes_before: of those files.
        bytes: of these.
    """

    run_id: str
    replaced: tuple[str, ...]
    rows: int
    superseded: int
    files_before: int
    files: int
    bytes_before: int
    bytes: int


def compact(lake: Lake, part_bytes: int, steps: Steps, *, everything: bool = False) -> Compacted | None:
    """Compact what is worth it (see `choose_runs`); interrupted runs are sealed before, as by any run.

    Memory: that of a view, and some 100 MB.

    Args:
        lake: nobody else works on it.
        part_bytes: how large a file should be.
        steps: see `Steps`.
        everything: all runs rather than those that are worth it.

    Returns:
        What was done, or None if there was nothing to do.

    Raises:
        StorageError: there is not enough room for a copy, or a file cannot be read; nothing has changed.
        TukuError: the copy is not what was copied; nothing has changed.
    """
    run, _ = lake.begin(steps.require)
    view = LakeView.everything(lake)
    sizes = {size.run.run_id: size for size in run_sizes(view, part_bytes)}
    chosen = choose_runs(list(sizes.values()), everything=everything)
    if not chosen:
        return None
    old = [sizes[each.run_id] for each in chosen]
    _require_room(lake, sum(size.size for size in old))
    try:
        _copy(view, chosen, run, part_bytes, steps)
        steps.require()
        run.commit({each.run_id for each in chosen}.union(*(each.replaces for each in chosen)))
    except BaseException:
        with suppress(TukuError):  # what cannot be removed goes when the lake is vacuumed
            run.discard()
        raise
    return _outcome(run, old)


def _copy(view: LakeView, chosen: Sequence[Run], run: Run, part_bytes: int, steps: Steps) -> None:
    kept = view.runs[: len(view.runs) - len(chosen)]
    older = {each.run_id for each in kept}
    run.begin_compaction()
    copied = RowsDigest(IMAGES)
    total = sum(rows for run_id, rows in view.live_rows().items() if run_id not in older)
    write_parts(run, _telling(view.changed_since(older), copied, total, steps), part_bytes, steps.require)
    run.write_deleted("compacted", _tombstones(view, kept))
    steps.told("compact", "comparing")
    after = LakeView(view.lake, (*kept, run))
    written = _digest(after.changed_since(older), IMAGES)
    same = written.hexdigest() == copied.hexdigest() and copied.rows == total
    if not (same and _ids(view).hexdigest() == _ids(after).hexdigest()):
        raise TukuError(
            f"The compacted files hold {written.rows} rows that are not the {total} that were to be copied. They were"
            " removed, and the lake is as it was.",
            "This is a bug in tuku, or the disk does not keep what is written to it. Please report it.",
        )


def _telling(tables: Iterable[pa.Table], digest: RowsDigest, total: int, steps: Steps) -> Iterator[pa.Table]:
    for table in tables:
        digest.add(table)
        steps.told("compact", f"{digest.rows:,} of {total:,} rows")
        yield table


def _tombstones(view: LakeView, kept: Sequence[Run]) -> pa.Array:
    """What the compacted runs deleted of what the older ones hold. Nothing is left of others."""
    deleted = list(view.deleted_since({run.run_id for run in kept}))
    gone = pa.chunked_array(deleted, pa.string()).unique()
    needed = pa.array([], pa.string())
    if len(gone):
        for file in LakeView(view.lake, tuple(kept)).files:
            for _, table in () if file.deleted else file.tables(["image_id"]):
                ids = table.column("image_id").combine_chunks()
                needed = pa.concat_arrays([needed, ids.filter(pc.is_in(ids, value_set=gone))]).unique()
    return needed


def _ids(view: LakeView) -> RowsDigest:
    columns = ["image_id"]
    return _digest(view.batches(columns), pa.schema([IMAGES.field(name) for name in columns]))


def _digest(tables: Iterable[pa.Table], schema: pa.Schema) -> RowsDigest:
    digest = RowsDigest(schema)
    for table in tables:
        digest.add(table)
    return digest


def _require_room(lake: Lake, size: int) -> None:
    free = lake.storage.free_bytes()
    if free is not None and free < size * _SPARE:
        raise StorageError(
            f"Compacting needs room for a copy of {units.size(size)}, and {units.size(free)} are free in"
            f" {lake.storage.uri}.",
            "Free some space; `tuku lake vacuum` says what it could remove.",
        )


def _outcome(run: Run, old: Sequence[RunSize]) -> Compacted:
    return Compacted(
        run_id=run.run_id,
        replaced=tuple(size.run.run_id for size in old),
        rows=run.rows(),
        superseded=sum(size.rows for size in old) - run.rows(),
        files_before=sum(size.files for size in old),
        files=len(run.parts()),
        bytes_before=sum(size.size for size in old),
        bytes=sum(part_sizes(run)),
    )
