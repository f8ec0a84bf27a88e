"""A look at a few of the pictures that need work: how large they are, and how many cannot be read."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from tuku.config import DecodeConfig
from tuku.errors import SAME_CONTENT, UNCHANGED
from tuku.fetching import Fetcher
from tuku.protocols import PictureSize
from tuku.runtime.claims import BlockClaims
from tuku.schemas import WORK
from tuku.stages.decode import decode_batch
from tuku.stages.fetch import fetch_batch
from tuku.stages.outcome import alive
from tuku.stages.twins import Contents, set_twins_aside

SAMPLE_ROWS = 32
_SEED = 20_251_121
_AT_ONCE = 4  # files that are in memory together: each may be as large as fetch.max_bytes


@dataclass
class Reservoir:
    """An even sample of a stream of rows (Vitter's algorithm R), the same one for the same stream.

    Args:
        size: rows that are kept.

    Attributes:
        seen: rows that came by and need work, as far as is known: those to be rechecked do not count.
    """

    size: int = SAMPLE_ROWS
    seen: int = 0
    _rows: list[dict[str, Any]] = field(default_factory=list)
    _random: random.Random = field(default_factory=lambda: random.Random(_SEED))  # noqa: S311  no secret

    def add(self, batch: pa.Table) -> None:
        """Let some rows (schema `WORK`) come by."""
        rechecked = batch.column("recheck").to_pylist()
        for position in (position for position in alive(batch) if not rechecked[position]):
            self.seen += 1
            place = len(self._rows) if self.seen <= self.size else self._random.randrange(self.seen)
            if place < self.size:
                self._rows[place : place + 1] = batch.slice(position, 1).to_pylist()

    def rows(self) -> pa.Table:
        """At most `size` rows, in schema `WORK`."""
        return pa.Table.from_pylist(self._rows, WORK)


@dataclass(frozen=True)
class Seen:
    """A picture that can be read: width and height as it is shown, px, and the digest of its file."""

    width: int
    height: int
    content_sha256: str


@dataclass(frozen=True)
class Sample:
    """What a few pictures were found to be.

    Attributes:
        pictures: that can be read.
        unreadable: those that cannot, by code.
        settled: those of which nobody will be asked: they have not changed, or have the same content as another of them
            or as one that the lake has answers for.
    """

    pictures: tuple[Seen, ...] = ()
    unreadable: Counter[str] = field(default_factory=Counter)
    settled: int = 0

    @property
    def size(self) -> int:
        """Pictures that were looked at."""
        return len(self.pictures) + self.unreadable.total() + self.settled


def look_at(
    rows: pa.Table,
    fetcher: Fetcher,
    config: DecodeConfig,
    sizes: Sequence[PictureSize],
    contents: Contents,
    *,
    buckets_listed: bool = False,
) -> Sample:
    """Fetch and decode pictures as a run does, within the same limits and guards.

    Args:
        rows: n rows in schema `WORK`.
        fetcher: gets the files.
        config: limits for decoding.
        sizes: what the models need of a picture.
        contents: what the lake has answers for.
        buckets_listed: see `fetch_batch`.
    """
    pictures: list[Seen] = []
    outcomes: Counter[str] = Counter()
    claims = BlockClaims(lambda digests: [True] * len(digests))
    for start in range(0, rows.num_rows, _AT_ONCE):
        files = fetch_batch(rows.slice(start, _AT_ONCE), fetcher, buckets_listed=buckets_listed)
        fetched = set_twins_aside(files, contents, claims)
        decoded = decode_batch(fetched, max_pixels=config.max_pixels, sizes=sizes)
        for row in decoded.select(["code", "width", "height", "content_sha256"]).to_pylist():
            if row["code"] is None:
                pictures.append(Seen(row["width"], row["height"], row["content_sha256"]))
            else:
                outcomes[row["code"]] += 1
    settled = sum(outcomes.pop(code, 0) for code in (SAME_CONTENT, UNCHANGED))
    return Sample(tuple(pictures), outcomes, settled)
