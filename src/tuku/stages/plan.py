"""Plan: manifest rows are compared with what the lake has of them; what differs is work.

Both sides come in buckets of image ids (see `bucket_of`), so that one call sees all that is known of its ids and
nothing else. Whole columns are compared at a time.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tuku.errors import RowError
from tuku.schemas import KNOWN, PLANNED, ROWS
from tuku.stages.fingerprints import source_fingerprint
from tuku.stages.outcome import advance, alive

Compare = Literal["source", "content", "uri"]
"""What tells whether a picture is still the one it was (`plan.compare`)."""


@dataclass(frozen=True)
class Wanted:
    """What a row must have been made with to be left alone.

    Attributes:
        caption_fingerprint: of the captioner that is configured now.
        embedding_fingerprint: of the embedder that is configured now.
        compare: see `Compare`.
        restate: rows that are as they should be are written once more all the same.
    """

    caption_fingerprint: str
    embedding_fingerprint: str
    compare: Compare = "source"
    restate: bool = False


@dataclass
class Counts:
    """How many manifest rows there are of each class.

    Attributes:
        classes: ``new``, ``changed``, ``unchanged``, ``duplicates``, ``failed``, and ``deleted`` for images of the
            lake that the manifest lacks.
        reasons: why rows need work: ``new``, ``moved``, ``source``, ``caption``, ``embedding``, ``metadata``,
            ``recheck`` where only the server can tell (those are counted as unchanged until it does), or ``restated``.
        rewrites: rows that need neither their picture nor a model.
        images: of the lake, whether the manifest has them or not.
    """

    classes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    rewrites: int = 0
    images: int = 0

    @property
    def manifest(self) -> int:
        """Rows in all."""
        return self.classes.total()

    @property
    def work(self) -> int:
        """Rows that go onto the work list; those that have failed already are among them."""
        return self.reasons.total() - self.rewrites + self.classes["failed"]

    def add(self, other: Counts) -> None:
        """Add another bucket's."""
        self.classes.update(other.classes)
        self.reasons.update(other.reasons)
        self.rewrites += other.rewrites
        self.images += other.images


@dataclass(frozen=True)
class Planned:
    """What became of one bucket.

    Attributes:
        rows: what needs work or has failed already, in manifest order, schema `PLANNED`.
        missing: ids of images that the lake has and the manifest has not.
        counts: of its rows.
    """

    rows: pa.Table
    missing: pa.Array
    counts: Counts


def bucket_of(image_ids: Sequence[str], buckets: int) -> np.ndarray:
    """The bucket of each id: uint32 (n,), below `buckets`; the same on every machine."""
    if buckets == 1:
        return np.zeros(len(image_ids), np.uint32)
    return np.fromiter((zlib.crc32(id_.encode()) % buckets for id_ in image_ids), np.uint32, len(image_ids))


def current(known: pa.Table, wanted: Wanted) -> pa.Table:
    """Of each image its newest state, without those that a snapshot has taken out.

    Args:
        known: all that the lake has of these images, schema `KNOWN`.
        wanted: see `plan_bucket`.

    Returns:
        Schema `KNOWN`; the place is that of the state from which most can be used again. It is another than the newest
        one where a model has been changed back to what it was.
    """
    newest = known.group_by("image_id", use_threads=False).aggregate([("place", "max")]).column("place_max")
    if len(newest) == known.num_rows:
        return known.filter(pc.invert(known.column("deleted")))
    state = known.filter(pc.is_in(known.column("place"), value_set=newest))
    state = state.filter(pc.invert(state.column("deleted")))
    return state.set_column(KNOWN.get_field_index("place"), KNOWN.field("place"), _most_useful(known, state, wanted))


def _most_useful(known: pa.Table, state: pa.Table, wanted: Wanted) -> pa.Array:
    """For each image of `state` the place of the row of the same content with most answers of the wanted models."""
    owners = pc.index_in(known.column("image_id"), value_set=state.column("image_id"))
    same = pc.equal(known.column("content_sha256"), state.column("content_sha256").take(owners))
    known, owners = known.filter(same), owners.filter(same)
    captions = pc.fill_null(pc.equal(known.column("caption_fingerprint"), wanted.caption_fingerprint), False)
    vectors = pc.fill_null(pc.equal(known.column("embedding_fingerprint"), wanted.embedding_fingerprint), False)
    places, images = known.column("place").to_numpy(), owners.to_numpy()
    order = np.lexsort((places, vectors.to_numpy(), captions.to_numpy()))
    found = np.empty(state.num_rows, np.int64)
    found[images[order]] = places[order]  # of several the last, which is the best and among equals the newest
    return pa.array(found)


def plan_bucket(rows: pa.Table, known: pa.Table, wanted: Wanted) -> Planned:
    """Sort the manifest rows of one bucket into classes.

    Args:
        rows: in manifest order, schema `ROWS`.
        known: what the lake has of this bucket's ids, each once (see `current`), schema `KNOWN`.
        wanted: what rows are compared with.
    """
    rows, doubles = _without_doubles(rows)
    rows = _with_sources(rows)
    living = pc.is_null(rows.column("code"))
    places = pc.index_in(rows.column("image_id"), value_set=known.column("image_id"))
    lake = known.take(places)
    reasons = pc.if_else(living, _reasons(rows, lake, wanted), pa.scalar(None, pa.string()))
    why = Counter(reason for reason in reasons.to_pylist() if reason is not None)
    failed = rows.num_rows - (pc.sum(living).as_py() or 0)
    changed = why.total() - why["new"] - why["recheck"]
    classes = {
        "new": why["new"],
        "changed": changed,
        "unchanged": rows.num_rows - failed - why["new"] - changed,
        "duplicates": doubles,
        "failed": failed,
    }
    planned = rows.append_column(PLANNED.field("how"), _how(rows, reasons, wanted))
    planned = planned.append_column(PLANNED.field("known_source"), lake.column("source_fingerprint"))
    planned = planned.append_column(PLANNED.field("place"), lake.column("place"))
    return Planned(
        planned.filter(pc.or_(pc.is_valid(reasons), pc.invert(living))),
        known.column("image_id").filter(
            pc.invert(pc.is_in(known.column("image_id"), value_set=rows.column("image_id")))
        ),
        Counts(
            Counter({name: count for name, count in classes.items() if count}),
            why,
            pc.sum(pc.equal(planned.column("how"), "rewrite")).as_py() or 0,
            known.num_rows,
        ),
    )


def _reasons(rows: pa.Table, lake: pa.Table, wanted: Wanted) -> pa.ChunkedArray:
    """Why each row needs work, whether it has failed already or not; null where nothing has changed."""

    def differs(column: str, value: object = None) -> pa.ChunkedArray:
        now = rows.column(column) if value is None else pa.scalar(value)
        return pc.fill_null(pc.not_equal(lake.column(column), now), True)

    asked = _to_be_asked(rows, wanted.compare)
    stale = pc.and_not(differs("source_fingerprint"), asked) if wanted.compare != "uri" else pa.scalar(False)
    tests = {
        "new": pc.is_null(lake.column("image_id")),
        "moved": differs("uri"),
        "source": stale,
        "caption": differs("caption_fingerprint", wanted.caption_fingerprint),
        "embedding": differs("embedding_fingerprint", wanted.embedding_fingerprint),
        "metadata": differs("metadata"),
        "recheck": asked,
        "restated": pa.scalar(wanted.restate),
    }
    reasons = pa.chunked_array([pa.nulls(rows.num_rows, pa.string())])
    for reason, applies in reversed(tests.items()):
        reasons = pc.if_else(applies, reason, reasons)
    return reasons


def _to_be_asked(rows: pa.Table, compare: Compare) -> pa.ChunkedArray:
    """The rows whose picture must be asked for before anybody can say whether it has changed."""
    count = rows.num_rows
    if compare == "content":
        return pa.chunked_array([pa.repeat(True, count)])
    if compare == "uri":
        return pa.chunked_array([pa.repeat(False, count)])
    return pc.is_null(rows.column("source_fingerprint"))


def _how(rows: pa.Table, reasons: pa.ChunkedArray, wanted: Wanted) -> pa.ChunkedArray:
    asked = _to_be_asked(rows, wanted.compare)
    untouched = pc.is_in(reasons, value_set=pa.array(["metadata", "restated"]))
    recheck = pc.is_in(reasons, value_set=pa.array(["recheck"]))
    again = pc.or_(pc.and_(untouched, asked), pc.and_(recheck, wanted.restate))
    hows = {"rewrite": pc.and_not(untouched, asked), "revise": again, "recheck": recheck}
    how = pa.chunked_array([pa.repeat("work", rows.num_rows)])
    for name, applies in reversed(hows.items()):
        how = pc.if_else(applies, name, how)
    return how


def _with_sources(rows: pa.Table) -> pa.Table:
    """With the sources of local files, beside those that a store has listed; null where only the server can tell."""
    positions, uris = set(alive(rows)), rows.column("uri").to_pylist()
    sources = [
        listed or source_fingerprint(uri) if position in positions else None
        for position, (uri, listed) in enumerate(zip(uris, rows.column("source_fingerprint").to_pylist(), strict=True))
    ]
    place = rows.schema.get_field_index("source_fingerprint")
    return rows.set_column(place, ROWS.field("source_fingerprint"), pa.array(sources, pa.string()))


def _without_doubles(rows: pa.Table) -> tuple[pa.Table, int]:
    """Without the rows that say once more what an earlier one said, and how many those were.

    An id that stands for another picture further down fails there.
    """
    positions = alive(rows)
    ids = rows.column("image_id").take(pa.array(positions, pa.int64()))
    if pc.count_distinct(ids).as_py() == len(ids):
        return rows, 0
    uris = rows.column("uri").to_pylist()
    first: dict[str, str] = {}
    doubles: set[int] = set()
    clashes: dict[int, RowError] = {}
    for position, image_id in zip(positions, ids.to_pylist(), strict=True):
        uri = first.get(image_id)
        if uri is None:
            first[image_id] = uris[position]
        elif uri == uris[position]:
            doubles.add(position)
        else:
            message = f"The id {image_id!r} stands in the manifest twice, first for {uri}."
            clashes[position] = RowError("duplicate_id", message)
    rows = advance(rows, "plan", ROWS, list(clashes), clashes.values())
    kept = [position for position in range(rows.num_rows) if position not in doubles]
    return rows.take(pa.array(kept, pa.int64())), len(doubles)
