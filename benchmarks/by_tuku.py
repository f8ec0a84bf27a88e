"""Loads by tuku, timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
from made_lakes import MODEL

from tuku.config import Config
from tuku.lake_view import LakeView
from tuku.milvus import bulk, collection
from tuku.milvus.connect import connected
from tuku.milvus.context import LoadOrder
from tuku.milvus.export import Exported, write_import_file
from tuku.milvus.fields import Layout
from tuku.milvus.job import load_and_verify
from tuku.storage import DiskStorage

BENCH = (Path(".bench") / "load").absolute()
_numbers = count()


@dataclass(frozen=True)
class Times:
    """Of one load by tuku, in seconds.

    Attributes:
        filled: until every row had arrived.
        searchable: until every row could be searched.
        proven: the whole load.
        exporting: what writing import files took, by itself.
    """

    filled: float
    searchable: float
    proven: float
    exporting: float


def configured(uri: str, kinds: tuple[str, ...], **load: str | int) -> Config:
    """For a collection that nobody has used; recall is not what is measured here."""
    milvus = {"uri": uri, "vectors": kinds, "collection": f"bench_{next(_numbers)}"}
    return Config.model_validate({"milvus": milvus, "load": {"alias": False, **load}, "verify": {"min_recall": 0}})


@contextmanager
def dropped(config: Config) -> Iterator[Config]:
    """A collection that is gone afterwards, so that the next one finds an empty server."""
    try:
        yield config
    finally:
        with connected(config.milvus) as client:
            client.drop_collection(config.milvus.collection)


@dataclass
class _Exporter:
    """In the place of `write_import_file`: sums up its seconds, or takes files from `BENCH / "exported"` instead."""

    exported: Mapping[str, Exported] | None
    seconds: float = 0.0

    def __call__(self, tables: Iterable[pa.Table], layout: Layout, storage: DiskStorage, name: str) -> Exported:
        began = time.perf_counter()
        if self.exported is None:
            made = write_import_file(tables, layout, storage, name)
        else:
            made = self.exported[name]
            Path(storage.where(name)).parent.mkdir(parents=True, exist_ok=True)
            Path(storage.where(name)).hardlink_to(BENCH / "exported" / name)
        self.seconds += time.perf_counter() - began
        return made


def order_of(config: Config, lake: LakeView, dim: int, progress: Callable[[str, int, int], None]) -> LoadOrder:
    """A load of a made lake, which nobody else is loading."""
    return LoadOrder(
        config=config,
        lake=lake,
        ledgers=DiskStorage(BENCH / "ledgers"),
        run_id="bench",
        embed_model=MODEL,
        dim=dim,
        progress=progress,
        require_lease=lambda: None,
    )


def by_tuku(config: Config, lake: LakeView, dim: int, exported: Mapping[str, Exported] | None = None) -> Times:
    """Load a lake.

    Args:
        config: of the load.
        lake: that is loaded.
        dim: length of its vectors.
        exported: import files in `BENCH / "exported"` which are taken instead of writing any.
    """
    seen: dict[tuple[str, bool], float] = {}
    exporter = _Exporter(exported)

    def progress(phase: str, done: int, total: int) -> None:
        if phase == "memory" and done == total:
            with connected(config.milvus) as client:
                assert collection.count(client, config.milvus.collection) == total
        seen.setdefault((phase, done == total), time.perf_counter() - started)

    with patch.object(bulk, "write_import_file", exporter):
        started = time.perf_counter()
        load_and_verify(order_of(config, lake, dim, progress))
    filling = "import" if ("import", True) in seen else "insert"
    return Times(seen[filling, True], seen["memory", True], time.perf_counter() - started, exporter.seconds)
