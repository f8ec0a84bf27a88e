"""What the tests of the DashScope job share: catalogues, options, and what the local DashScope's books say."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from contract.pictures import noise
from fakes.dashscope import DashScopeServer
from support import Tuku

CONF = Path(__file__).parents[1] / "conf"

FAST = [
    "--set", "caption.quota.requests_per_min=6000",
    "--set", "embed.quota.requests_per_min=6000",
    "--set", "retry.first_wait_s=0.1",
    "--set", "retry.max_wait_s=1",
    "--set", "retry.request_timeout_s=3",
]  # fmt: skip
"""A quota that is no hindrance, and short waits."""


def profile(name: str) -> list[str]:
    """The options for a profile of conf/."""
    return ["--config", str(CONF / f"{name}.yaml")]


def many_pictures(folder: Path, count: int) -> Path:
    """A catalogue of small pictures, no two alike, listed by ``id`` and ``path``."""
    folder.mkdir()
    for number in range(count):
        Image.fromarray(noise(number, 64, 48).pixels).save(folder / f"{number}.png")
    return write_catalogue(folder / "catalogue.csv", [(f"p{number}", f"{number}.png") for number in range(count)])


def write_catalogue(file: Path, rows: list[tuple[str, str]]) -> Path:
    """A CSV of ids and paths."""
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerows([("id", "path"), *rows])
    return file


def paid_again(server: DashScopeServer) -> dict[str, int]:
    """By model: how many items were let in once more after an intact answer for them had gone out."""
    models = server.counters()["models"]
    return {name: counters["items"]["accepted_after_an_intact_answer"] for name, counters in models.items()}


def wait_for_requests(server: DashScopeServer, count: int, timeout_s: float = 60.0) -> None:
    """Return once so many requests have arrived since the server began.

    Raises:
        TimeoutError: they have not.
    """
    deadline = time.monotonic() + timeout_s
    while server.counters()["arrived"] < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{server.counters()['arrived']} requests instead of {count}")
        time.sleep(0.05)


def stored(tuku: Tuku, kind: str) -> list[dict[str, Any]]:
    """Rows of all runs in the lake; `kind` is ``parts``, ``errors`` or ``paid``."""
    tables = [pq.read_table(path, partitioning=None) for path in tuku.lake.glob(f"runs/*/{kind}/*.parquet")]
    rows: list[dict[str, Any]] = pa.concat_tables(tables).to_pylist() if tables else []
    return rows
