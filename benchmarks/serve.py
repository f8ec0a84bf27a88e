"""The page's API under load from a second process, against the bare `Searcher.search` in one process.

Both search one collection in Milvus Lite by texts that nobody asked before, with 1, 10 and 50 users who ask again as
soon as they are answered. The server is `tuku serve` as it is; the load comes from this process over loopback. Printed:
searches a second, median and p95, and the ratio of both throughputs. It fails on any error.

    python benchmarks/serve.py [--rows 5000] [--seconds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import numpy as np

from tuku.config import Config, EmbedConfig, MilvusConfig
from tuku.milvus import collection
from tuku.milvus.capabilities import ask
from tuku.milvus.connect import connected
from tuku.milvus.index import build_indexes
from tuku.providers.registry import describe_embedder
from tuku.runtime.searching import open_searcher
from tuku.search.query import Query

USERS = (1, 10, 50)
LIMIT = 24
NOUNS = ("cat", "mug", "rocket", "flower", "bicycle", "lamp", "shoe", "tree")
COLOURS = ("red", "green", "blue", "white", "black", "yellow")


@dataclass(frozen=True)
class Measured:
    """What so many users got."""

    users: int
    per_s: float
    p50_ms: float
    p95_ms: float

    def __str__(self) -> str:
        return (
            f"{self.users:>3} users  {self.per_s:7.1f} searches/s  p50 {self.p50_ms:7.1f} ms  p95 {self.p95_ms:7.1f} ms"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = Config(milvus=MilvusConfig(uri=f"{folder}/milvus.db", vectors=("image",)))
        fill(config, options.rows)
        print(f"{options.rows:,} images in Milvus Lite, {LIMIT} results, {options.seconds:g} s each")
        bare = measure_bare(config, options.seconds)
        served = measure_served(config, options.seconds, Path(folder))
    for ours, peer in zip(served, bare, strict=True):
        print(f"tuku serve        {ours}")
        print(f"Searcher.search   {peer}   ratio of throughputs {ours.per_s / peer.per_s:.2f}")


def fill(config: Config, rows: int) -> None:
    milvus, model = config.milvus, describe_embedder(EmbedConfig())
    vectors = np.random.default_rng(7).normal(size=(rows, model.dim or 0)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    empty = dict.fromkeys(("run_id", "caption_model", "embed_model", "content_sha256"), "")
    with connected(milvus) as client:
        collection.create(client, milvus.collection, milvus, model.dim or 0, model.name)
        for start in range(0, rows, 1_000):
            client.insert(
                milvus.collection,
                [
                    {**empty, "id": str(n), "origin": f"/x/{n}.jpg", "image_description": f"a photo, number {n}"}
                    | {"keywords": ["photo"], "image_embedding": vectors[n], "price": n % 100}
                    for n in range(start, min(start + 1_000, rows))
                ],
            )
        build_indexes(client, milvus.collection, milvus, rows, ask(client, config))


_numbers = itertools.count()


def new_text() -> str:
    number = next(_numbers)
    return f"a {COLOURS[number % 6]} {NOUNS[number % 8]}, number {number}"


def measure_bare(config: Config, seconds: float) -> list[Measured]:
    with open_searcher(config) as searcher:

        def once() -> None:
            assert len(searcher.search(Query(text=new_text(), limit=LIMIT)).results) == LIMIT

        once()
        return [in_threads(once, users, seconds) for users in USERS]


def in_threads(once: Callable[[], None], users: int, seconds: float) -> Measured:
    until_s, start = time.perf_counter() + seconds, threading.Barrier(users)

    def user() -> list[float]:
        start.wait()
        taken = []
        while (began_s := time.perf_counter()) < until_s:
            once()
            taken.append(time.perf_counter() - began_s)
        return taken

    began_s = time.perf_counter()
    with ThreadPoolExecutor(users) as people:
        found = [each for future in [people.submit(user) for _ in range(users)] for each in future.result()]
    return measured(users, found, time.perf_counter() - began_s)


def measure_served(config: Config, seconds: float, folder: Path) -> list[Measured]:
    settings = ["--set", f"milvus.uri={config.milvus.uri}", "--set", "milvus.vectors=[image]"]
    settings += ["--set", f"lake.uri={folder / 'lake'}"]
    command = [sys.executable, "-m", "tuku", "serve", "--port", "0", "--json", *settings]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as server:
        try:
            assert server.stdout is not None
            url = json.loads(server.stdout.readline())["url"]
            return [asyncio.run(over_http(url, users, seconds)) for users in USERS]
        finally:
            server.terminate()
            server.wait(30)


async def over_http(url: str, users: int, seconds: float) -> Measured:
    until_s, taken = time.perf_counter() + seconds, []

    async def user(session: aiohttp.ClientSession) -> None:
        while (began_s := time.perf_counter()) < until_s:
            asked = {"text": new_text(), "limit": str(LIMIT)}
            async with session.get(f"{url}api/v1/search", params=asked) as answer:
                found = await answer.json()
                assert answer.status == 200, found
                assert len(found["results"]) == LIMIT
            taken.append(time.perf_counter() - began_s)

    began_s = time.perf_counter()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=users)) as session:
        await asyncio.gather(*(user(session) for _ in range(users)))
    return measured(users, taken, time.perf_counter() - began_s)


def measured(users: int, taken: list[float], seconds: float) -> Measured:
    p50, p95 = np.percentile(taken, [50, 95]) * 1000
    return Measured(users, len(taken) / seconds, float(p50), float(p95))


if __name__ == "__main__":
    main()
