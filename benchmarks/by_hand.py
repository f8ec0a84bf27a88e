"""What somebody would write with pymilvus alone: a collection filled, indexed, loaded and counted, and nothing proven.

The schema and the index's parameters are tuku's; states are asked for ten times a second.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pymilvus import BulkInsertState, MilvusClient, connections, utility

from tuku.config import Config
from tuku.milvus.export import DYNAMIC
from tuku.milvus.fields import LAKE_COLUMN, MAX_BYTES, Layout, collection_schema

_POLL_S = 0.1
BATCH = 1_000
HNSW = {"M": 16, "efConstruction": 200}  # tuku's defaults


@contextmanager
def opened(uri: str) -> Iterator[MilvusClient]:
    client = MilvusClient(uri, dedicated=True)
    try:
        yield client
    finally:
        client.close()


def bulk(config: Config, layout: Layout, files: Sequence[str], rows: int, *, index_first: bool = False) -> float:
    """Import all files at once, and build the index after that, or have it built meanwhile.

    Returns:
        Seconds until all rows can be searched.
    """
    name, started = config.milvus.collection, time.perf_counter()
    with opened(config.milvus.uri) as client, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client.create_collection(name, schema=collection_schema(layout))
        if index_first:
            _build_indexes(client, config, layout)
        connections.connect("by-hand", uri=config.milvus.uri)
        tasks = [utility.do_bulk_insert(name, [file], using="by-hand") for file in files]

        def state(task: int) -> int:
            about = utility.get_bulk_insert_state(task, using="by-hand")
            assert about.state not in {BulkInsertState.ImportFailed, BulkInsertState.ImportFailedAndCleaned}, about
            return about.state

        _wait(lambda: all(state(task) == BulkInsertState.ImportCompleted for task in tasks))
        connections.remove_connection("by-hand")
        if not index_first:
            _build_indexes(client, config, layout)
        _searchable(client, config, layout, rows)
        return time.perf_counter() - started


def insert(config: Config, layout: Layout, rows: Sequence[dict[str, Any]]) -> float:
    """Insert dicts, 1,000 at a time. Seconds until all rows can be searched."""
    name, started = config.milvus.collection, time.perf_counter()
    with opened(config.milvus.uri) as client:
        client.create_collection(name, schema=collection_schema(layout))
        for start in range(0, len(rows), BATCH):
            client.insert(name, rows[start : start + BATCH])
        client.flush(name)
        _build_indexes(client, config, layout)
        _searchable(client, config, layout, len(rows))
        return time.perf_counter() - started


def export(parts: Sequence[Path], folder: Path, layout: Layout, files: int) -> float:
    """Write a lake's part files as so many import files, with pyarrow alone. Seconds."""
    started = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.concat_tables(pq.read_table(part) for part in parts)
    columns = {name: pc.fill_null(table[LAKE_COLUMN.get(name, name)], "") for name in MAX_BYTES}
    columns |= {"keywords": table["keywords"], **{name: table[name] for name in layout.vectors}}
    table = pa.table({**columns, DYNAMIC: table["metadata"]})
    size = -(-table.num_rows // files)
    for number in range(files):
        pq.write_table(table.slice(number * size, size), folder / f"{number}.parquet", use_dictionary=False)
    return time.perf_counter() - started


def rows_of(files: Sequence[str]) -> list[dict[str, Any]]:
    """Import files as rows for `insert`."""
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    for row in rows:
        row.update(json.loads(row.pop(DYNAMIC)))
    return rows


def _build_indexes(client: MilvusClient, config: Config, layout: Layout) -> None:
    name, index = config.milvus.collection, config.milvus.index
    for field in layout.vectors:
        wanted = client.prepare_index_params()
        wanted.add_index(field, index_name=field, index_type=index.type, metric_type=index.metric, params=HNSW)
        client.create_index(name, wanted, sync=False)


def _searchable(client: MilvusClient, config: Config, layout: Layout, rows: int) -> None:
    name = config.milvus.collection

    def indexed(field: str) -> bool:
        about = client.describe_index(name, field)
        return int(about["indexed_rows"]) == int(about["total_rows"]) == rows

    _wait(lambda: all(indexed(field) for field in layout.vectors))
    client.load_collection(name)
    counted = client.query(name, filter="", output_fields=["count(*)"], consistency_level="Strong")
    assert counted[0]["count(*)"] == rows, counted


def _wait(ready: Callable[[], bool]) -> None:
    while not ready():
        time.sleep(_POLL_S)
