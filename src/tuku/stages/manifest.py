"""The manifest: the list of pictures to take in, in whatever form it comes, as a stream of tables."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from tuku.stages.manifest_csv import read_csv
from tuku.stages.manifest_folder import read_folder
from tuku.stages.manifest_jsonl import read_jsonl
from tuku.stages.manifest_listing import read_listing
from tuku.stages.manifest_parquet import read_parquet
from tuku.stages.manifest_rows import RowBlock, to_table
from tuku.stages.manifest_shard import in_shard
from tuku.stages.manifest_source import Lister, ManifestSource, Opener, locate
from tuku.stages.manifest_uri import UriResolver

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from tuku.config import ManifestConfig


def read_manifest(
    config: ManifestConfig,
    uri: str,
    *,
    batch_rows: int = 8192,
    opener: Opener | None = None,
    lister: Lister | None = None,
) -> Iterator[pa.Table]:
    """The rows of a manifest, in order; only a batch of them is in memory at any time.

    Rows that are wrong in themselves are among them with stage, code and message set (`schemas.OUTCOME`).

    Args:
        config: format, encoding, columns, how many rows at most, and which part of them.
        uri: CSV, TSV, JSONL (each also .gz) or Parquet file, folder or glob; also in a bucket, or a file on the web.
        batch_rows: rows in a table; only the last one may have fewer.
        opener: opens a remote URI for reading; without it a remote manifest is refused.
        lister: lists what lies below a prefix of a bucket; without it a folder there is refused.

    Yields:
        Tables in `schemas.ROWS`, with fewer rows where only a part is read; `source_fingerprint` is null, for the
        planner to fill, unless a store listed the file.

    Raises:
        ManifestError: it cannot be read, or only in part; before any row where its start shows it.
    """
    source = locate(config, uri, opener, lister)
    base = source.uri if source.remote else str(PurePosixPath(source.uri).parent)
    resolve = UriResolver(base, source.remote)
    rows = 0
    for block in _blocks(source, config, min(batch_rows, config.limit or batch_rows)):
        table = to_table(block, source.uri, rows + 1, resolve)
        if config.limit is not None:
            table = table.slice(0, config.limit - rows)
        rows += table.num_rows
        part = in_shard(table, config.shard)
        if part.num_rows:
            yield part
        if rows == config.limit:
            return


def _blocks(source: ManifestSource, config: ManifestConfig, batch_rows: int) -> Iterator[RowBlock]:
    if source.format in {"csv", "tsv"}:
        return read_csv(source, config, batch_rows)
    if source.format == "jsonl":
        return read_jsonl(source, config, batch_rows)
    if source.format == "parquet":
        return read_parquet(source, config, batch_rows)
    return read_listing(source, batch_rows) if source.remote else read_folder(source, batch_rows)
