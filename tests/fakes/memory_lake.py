"""A lake in memory, with vectors made by chance, and loads of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tuku.config import Config
from tuku.milvus.context import LoadOrder
from tuku.milvus.job import LoadReport, load_and_verify
from tuku.schemas import IMAGES
from tuku.storage import DiskStorage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

DIM = 16
MODEL = "fake/embedder@1"
NASTY_IDS = ['a"b', "a'b", "a\\b", "猫.jpg", "a\nb", "$x", "' or id != '"]


def unit_vectors(rows: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, DIM)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def images(ids: Sequence[str], run_id: str, seed: int = 0) -> pa.Table:
    pictures, texts = unit_vectors(len(ids), seed), unit_vectors(len(ids), seed + 1_000)
    rows = [
        {
            "image_id": key,
            "uri": f"https://example.org/{number}.jpg",
            "caption": f"第{number}张图片 of {run_id}",
            "keywords": ["猫", str(number)],
            "metadata": json.dumps({"price": number * 0.5, "id": number, "tags": {"a": [1, None]}, "none": None}),
            "image_embedding": pictures[number],
            "text_embedding": texts[number],
            "content_sha256": f"{number:064x}",
            "caption_model": "fake/captioner@1",
            "embed_model": MODEL,
            "run_id": run_id,
        }
        for number, key in enumerate(ids)
    ]
    return pa.Table.from_pylist(rows, schema=IMAGES)


def with_metadata(table: pa.Table, metadata: Sequence[dict]) -> pa.Table:
    """The same rows in `schemas.IMAGES`, with other columns of the catalogue."""
    texts = pa.array([json.dumps(each, ensure_ascii=False) for each in metadata])
    return table.set_column(table.schema.get_field_index("metadata"), table.schema.field("metadata"), texts)


class MemoryLake:
    """The lake's current view, in memory."""

    def __init__(self, *runs: pa.Table) -> None:
        self.committed: set[str] = set()
        self.view: dict[str, dict] = {}
        self.gone: dict[str, list[str]] = {}
        for run in runs:
            self.add(run)

    def add(self, run: pa.Table) -> None:
        self.committed |= set(run.column("run_id").to_pylist())
        self.view.update({row["image_id"]: row for row in run.to_pylist()})

    def remove(self, ids: Sequence[str], run_id: str) -> None:
        self.committed.add(run_id)
        self.gone[run_id] = [image_id for image_id in ids if self.view.pop(image_id)]

    def _table(self, rows: Sequence[dict]) -> pa.Table:
        return pa.Table.from_pylist(list(rows), schema=IMAGES)

    def rows(self) -> int:
        return len(self.view)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        table = self._table(list(self.view.values())).select(list(columns))
        yield from (table.slice(start, 90) for start in range(0, len(table), 90))

    def sample(self, size: int, seed: int) -> pa.Table:
        chosen = np.random.default_rng(seed).permutation(len(self.view))[:size]
        rows = list(self.view.values())
        return self._table([rows[position] for position in chosen])

    def run_ids(self) -> set[str]:
        return set(self.committed)

    def sources(self) -> list[str]:
        return sorted({*(row["run_id"] for row in self.view.values()), *self.gone})

    def changed_since(self, run_ids: set[str]) -> Iterator[pa.Table]:
        changed = [row for row in self.view.values() if row["run_id"] not in run_ids]
        if changed:
            yield self._table(changed)

    def count_changed_since(self, run_ids: set[str]) -> int:
        return sum(row["run_id"] not in run_ids for row in self.view.values())

    def deleted_since(self, run_ids: set[str]) -> Iterator[pa.Array]:
        for run_id, ids in self.gone.items():
            if run_id not in run_ids:
                yield pa.array([image_id for image_id in ids if image_id not in self.view])


def configured(uri: str, **sections: dict) -> Config:
    milvus = {"uri": uri, "timeout_s": 20, **sections.pop("milvus", {})}
    return Config.model_validate({"milvus": milvus, **sections})


def run(config: Config, lake: MemoryLake, ledgers: Path, run_id: str = "r1", **changes) -> LoadReport:
    """Load the lake; the ledgers are kept in a folder."""
    given = {
        "ledgers": DiskStorage(ledgers),
        "embed_model": MODEL,
        "dim": DIM,
        "progress": lambda phase, done, total: None,
        "require_lease": lambda: None,
        **changes,
    }
    return load_and_verify(LoadOrder(config=config, lake=lake, run_id=run_id, **given))


def failed(report: LoadReport) -> list[str]:
    return [check.name for check in report.checks if not check.passed]
