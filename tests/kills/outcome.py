"""What a lake and a Milvus file hold, in a form that two of them can be compared in."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from tuku.config import MilvusConfig
from tuku.dead_letters.standing import DeadLetters
from tuku.lake import Lake
from tuku.lake_view import LakeView
from tuku.milvus import collection
from tuku.milvus.connect import connected

_Rows = dict[str, dict[str, Any]]
_OWN = ("run_id", "ingested_at")
"""What two runs that do the same differ in."""


@dataclass(frozen=True)
class Outcome:
    """Everything that must be as it would have been.

    Attributes:
        lake: rows of the current view by id.
        stored: how many times each id stands in the files that count.
        milvus: rows behind the alias by id.
        keys: how often each key comes there; `count` is what Milvus itself counts.
        dead_letters: id and code.
    """

    lake: _Rows
    stored: Counter[str]
    milvus: _Rows
    keys: Counter[str]
    count: int
    dead_letters: Counter[tuple[str, str]]

    def differences(self, other: Outcome) -> list[str]:
        """What is not the same there, in words; empty if all is."""
        return [
            *_different_rows("lake", self.lake, other.lake),
            *_different_rows("Milvus", self.milvus, other.milvus),
            *_different_counts("stored in the lake", self.stored, other.stored),
            *_different_counts("keys in Milvus", self.keys, other.keys),
            *_different_counts("dead letters", self.dead_letters, other.dead_letters),
            *([] if self.count == other.count else [f"Milvus counts {self.count} rows, not {other.count}"]),
        ]


def outcome(lake_folder: Path, milvus_file: Path) -> Outcome:
    """Read all of it; nobody else may have the Milvus file open."""
    lake = Lake.at(str(lake_folder))
    view = LakeView.everything(lake)
    rows = pa.concat_tables(view.batches()).to_pylist()
    letters = [row for table in DeadLetters.of(lake).batches(["image_id", "code"]) for row in table.to_pylist()]
    found, count = _milvus_rows(milvus_file)
    return Outcome(
        lake={row["image_id"]: _without_own(row) for row in rows},
        stored=Counter(
            key
            for file in view.files
            for _, table in file.tables(["image_id"])
            for key in table["image_id"].to_pylist()
        ),
        milvus={row["id"]: _without_own(row) for row in found},
        keys=Counter(row["id"] for row in found),
        count=count,
        dead_letters=Counter((row["image_id"], row["code"]) for row in letters),
    )


def _milvus_rows(file: Path) -> tuple[list[dict[str, Any]], int]:
    config = MilvusConfig(uri=str(file))
    with connected(config, create=False) as client:
        client.load_collection(config.collection)
        found = client.query(config.collection, filter='id != ""', output_fields=["*"], limit=10_000)
        return [dict(row) for row in found], collection.count(client, config.collection)


def _without_own(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if name not in _OWN}
    return {name: list(value) if name.endswith(("embedding", "keywords")) else value for name, value in kept.items()}


def _different_rows(where: str, rows: _Rows, others: _Rows) -> list[str]:
    missing, extra = others.keys() - rows.keys(), rows.keys() - others.keys()
    columns = Counter(
        name
        for key in rows.keys() & others.keys()
        for name in rows[key].keys() | others[key].keys()
        if rows[key].get(name) != others[key].get(name)
    )
    return [
        *([f"{where} lacks {sorted(missing)}"] if missing else []),
        *([f"{where} has {sorted(extra)} too"] if extra else []),
        *(f"{where}: {name} differs in {count} rows" for name, count in columns.items()),
    ]


def _different_counts(what: str, counts: Counter[Any], others: Counter[Any]) -> list[str]:
    different = {key: (counts[key], others[key]) for key in counts | others if counts[key] != others[key]}
    return [f"{what} (found, expected): {different}"] if different else []
