"""A lake of made vectors, a real Milvus server and the real command line: for tests of what a load comes to."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fakes.lakes import run_id
from fakes.tables import dead_letter_rows
from milvus_server import ROOT_TOKEN, MilvusServer
from support import Ran, environment
from tuku.config import Config, EmbedConfig
from tuku.lake import Lake, Run, Stamp
from tuku.lake_view import LakeView
from tuku.metadata_names import named_fields
from tuku.milvus.connect import connected
from tuku.providers.registry import describe_embedder
from tuku.schemas import IMAGES

EMBED = {"provider": "dashscope", "model": "tongyi-embedding-vision-plus", "dim": 64}
BLOCK = 5_000
_HIDDEN = 12
"""Vectors vary in so many directions only, as those of pictures do: with more, none would be near another."""


@lru_cache(maxsize=1)
def _directions(dim: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(_HIDDEN, dim)).astype(np.float32)


def vectors(rows: int, seed: int, dim: int) -> np.ndarray:
    """Unit vectors, float32 (rows, dim), the same ones for the same seed."""
    made = np.random.default_rng([1, seed]).normal(size=(rows, _HIDDEN)).astype(np.float32) @ _directions(dim)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def add_run(lake: Lake, first: int, rows: int, *, gone: Sequence[str] = ()) -> Run:
    """Commit a run with images ``i<first>`` and on, whose vectors and captions tell the run."""
    model = describe_embedder(EmbedConfig.model_validate(EMBED))
    number = len(lake.runs())
    run = Run(lake.storage, run_id(number))
    run.write_json("plan.json", {"manifest_uri": None, "complete": False})
    for start in range(0, rows, BLOCK):
        size = min(BLOCK, rows - start)
        run.write_block(f"b{start}", _images(first + start, size, number, model.dim or 0), dead_letter_rows())
    run.write_deleted("all", list(gone))
    run.commit()
    lake.write_stamp(Stamp(model.name, model.dim or 0, "made"))
    return run


def _images(first: int, rows: int, number: int, dim: int) -> pa.Table:
    model = describe_embedder(EmbedConfig.model_validate(EMBED)).name
    positions = range(first, first + rows)
    values = pa.array(vectors(rows, 1_000_000 * number + first, dim).ravel())
    embedding = pa.ListArray.from_arrays(pa.array(range(0, len(values) + 1, dim), pa.int32()), values)
    columns: dict[str, Any] = {
        "image_id": [f"i{n}" for n in positions],
        "uri": [f"https://example.org/{n}.jpg" for n in positions],
        "caption": [f"第{n}张图片 of run {number}" for n in positions],
        "keywords": [["猫", str(n)] for n in positions],
        "metadata": [json.dumps({"price": n % 100 / 2, "cat": f'服装"{n % 7}'}, ensure_ascii=False) for n in positions],
        "content_sha256": [f"{n:064x}" for n in positions],
        "image_embedding": embedding,
        "embedding_fingerprint": ["made"] * rows,
        "embed_model": [model] * rows,
        "run_id": [run_id(number)] * rows,
    }
    made = [pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(rows, f.type) for f in IMAGES]
    return pa.table(made, schema=IMAGES)


@dataclass
class LoadWorld:
    """Where loads go from and to.

    Attributes:
        folder: of the lake, unless `lake_uri` says otherwise, and of what the commands leave.
        server: that is loaded into.
        settings: of the configuration, in the form of `--set`.
        variables: of the environment, for what the lake is kept in.
    """

    folder: Path
    server: MilvusServer
    lake_uri: str = ""
    settings: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def lake(self) -> Lake:
        return Lake.at(self.lake_uri or str(self.folder / "lake"))

    @property
    def config(self) -> Config:
        """As the commands have it, for what a test asks Milvus itself."""
        milvus = {"uri": self.server.uri, "vectors": ["image"], "timeout_s": 120}
        if self.server.authorization:
            milvus["token"] = ROOT_TOKEN
        return Config.model_validate({"milvus": milvus, "embed": EMBED})

    def command(self, name: str, *arguments: str) -> list[str]:
        settings = [
            f"lake.uri={self.lake_uri or self.folder / 'lake'}",
            f"milvus.uri={self.server.uri}",
            "milvus.vectors=[image]",
            "milvus.timeout_s=120",
            *(f"embed.{key}={value}" for key, value in EMBED.items()),
            *self.settings,
        ]
        overrides = [part for setting in settings for part in ("--set", setting)]
        return [sys.executable, "-m", "tuku", name, *overrides, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        token = {"MILVUS_TOKEN": ROOT_TOKEN} if self.server.authorization else {}
        return environment({**token, **self.variables})

    def __call__(self, name: str, *arguments: str, timeout_s: float = 300) -> Ran:
        done = subprocess.run(
            self.command(name, *arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def started(self, name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A command that is running; whatever becomes of it, it has ended after the block."""
        process = subprocess.Popen(
            self.command(name, *arguments),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def differences(self, collection: str = "tuku") -> list[str]:
        """How a collection differs from the lake, row by row and field by field; empty if it does not."""
        expected = {
            row["image_id"]: row for table in LakeView.everything(self.lake).batches() for row in table.to_pylist()
        }
        with connected(self.config.milvus, create=False) as client:
            count = client.query(collection, filter="", output_fields=["count(*)"], consistency_level="Strong")
            found: dict[str, dict[str, Any]] = {}
            fields = ["id", "image_description", "image_embedding", "keywords", "run_id", "$meta"]
            pages = client.query_iterator(
                collection, batch_size=2_000, output_fields=fields, consistency_level="Strong"
            )
            while page := pages.next():
                found.update((row["id"], row) for row in page)
            pages.close()
        wrong = [] if count[0]["count(*)"] == len(expected) else [f"{count[0]['count(*)']} rows, not {len(expected)}"]
        wrong += [f"{key} is missing" for key in sorted(expected.keys() - found.keys())]
        wrong += [f"{key} is too much" for key in sorted(found.keys() - expected.keys())]
        return wrong + [key for key in expected.keys() & found.keys() if not _equal(expected[key], found[key])]

    def collections(self) -> list[str]:
        """All collections on the server."""
        with connected(self.config.milvus, create=False) as client:
            return sorted(client.list_collections())

    def left_behind(self) -> list[str]:
        """Ledgers and staged files that nobody needs any more."""
        staged = [str(path) for path in (self.folder / "staged").rglob("*") if path.is_file()]
        return staged + self.lake.storage.files("loads", ".json")


def _equal(image: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    metadata = named_fields(json.loads(image["metadata"]))
    return (
        np.array_equal(np.asarray(image["image_embedding"], np.float32), np.asarray(row["image_embedding"], np.float32))
        and image["caption"] == row["image_description"]
        and image["keywords"] == list(row["keywords"])
        and image["run_id"] == row["run_id"]
        and all(row.get(name) == value for name, value in metadata.items())
    )
