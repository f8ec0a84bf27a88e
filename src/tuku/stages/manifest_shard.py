"""One of several parts of a manifest, for a backfill of many nights."""

from __future__ import annotations

import zlib

import pyarrow as pa


def in_shard(table: pa.Table, shard: str | None) -> pa.Table:
    """The rows whose ids fall into a part: the same on every day and machine, wherever in the manifest they stand.

    Args:
        table: with ``image_id``; rows without an id belong to the first part.
        shard: ``i/n``, from ``1/n`` to ``n/n``; None: all rows.
    """
    if shard is None:
        return table
    wanted, parts = map(int, shard.split("/"))
    ids = table.column("image_id").to_pylist()
    mask = [zlib.crc32((image_id or "").encode(errors="surrogatepass")) % parts == wanted - 1 for image_id in ids]
    return table.filter(pa.array(mask, pa.bool_()))
