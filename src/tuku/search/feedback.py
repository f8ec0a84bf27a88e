"""What people clicked on among the results they were shown: kept beside the lake, and made into labelled queries."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq

from tuku.storage import Storage

FOLDER = "feedback"

CLICKS = pa.schema(
    [
        pa.field("clicked_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("text", pa.string()),
        pa.field("image_sha256", pa.string()),
        pa.field("target", pa.string(), nullable=False),
        pa.field("where", pa.string()),
        pa.field("shown", pa.list_(pa.string()), nullable=False),
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("rank", pa.int32(), nullable=False),
        pa.field("version", pa.string(), nullable=False),
        pa.field("like", pa.string()),
    ]
)


@dataclass(frozen=True)
class Click:
    """One result that somebody opened.

    Attributes:
        clicked_at: with its time zone.
        text: that was searched for, if any.
        image_sha256: of the picture that was searched with, if any; the picture itself is not kept.
        target: the vectors that were searched.
        where: the filter.
        shown: ids of the results, best first.
        image_id: the one that was opened.
        rank: its place, from 1.
        version: of tuku.
        like: the stored image that was searched with ("more like this"), if any.
    """

    clicked_at: datetime
    text: str | None
    image_sha256: str | None
    target: str
    where: str | None
    shown: tuple[str, ...]
    image_id: str
    rank: int
    version: str
    like: str | None = None


def write_clicks(storage: Storage, clicks: Sequence[Click]) -> str:
    """Write clicks as a new Parquet file beside the lake's runs; its name.

    Raises:
        StorageError: the lake cannot be written to.
        StoppedError: the disk is full.
    """
    name = f"{FOLDER}/clicks-{clicks[0].clicked_at:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}.parquet"
    rows = [{**asdict(click), "shown": list(click.shown)} for click in clicks]
    with storage.atomic(name) as file:
        pq.write_table(pa.Table.from_pylist(rows, schema=CLICKS), file)
    return name


def read_clicks(storage: Storage) -> Iterator[pa.Table]:
    """All clicks, a table of schema `CLICKS` for each file."""
    for name in storage.files(FOLDER, ".parquet"):
        yield pq.read_table(storage.source(name), schema=CLICKS)


def labelled_lines(clicks: Iterator[pa.Table]) -> list[str]:
    """JSON lines for `tuku evaluate`: each text (with its filter) and what was opened of its results.

    Searches with a picture are left out: the picture has not been kept.
    """
    relevant: dict[tuple[str, str | None], dict[str, None]] = {}
    for table in clicks:
        for row in table.select(["text", "image_sha256", "where", "image_id"]).to_pylist():
            if row["text"] and row["image_sha256"] is None:
                relevant.setdefault((row["text"], row["where"]), {})[row["image_id"]] = None
    return [
        json.dumps({"text": text, **({"where": where} if where else {}), "relevant": list(ids)}, ensure_ascii=False)
        for (text, where), ids in relevant.items()
    ]
