"""recall@10, query time and size of each type of index on real embeddings: the table in docs/index_types.md.

python benchmarks/index_types.py [--limit 6000] [--only HNSW IVF_PQ]

The pictures of `pictures.py` (cut out of eight photographs) are ingested once with the bundled models, into a lake in
.bench. Each type is then loaded from it into Milvus Lite (both vectors) or into a real Milvus 2.3.5 (the picture's
vector alone: a collection there has one). Recall is that of tuku's proof: 300 sampled rows, the default parameters of
index and search, against exact search over the lake. A query's time is the median of 200, asked one at a time for the
ids of the first 10, as the client sees it. Size is that of the index files of one vector field; what an index takes in
memory is about the same.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np
from pictures import make_catalogue

from milvus_server import MilvusServer
from tuku.config import Config
from tuku.lake import Lake
from tuku.lake_view import LakeView
from tuku.milvus.connect import connected
from tuku.milvus.context import LoadOrder
from tuku.milvus.fields import ID
from tuku.milvus.job import load_and_verify
from tuku.milvus.search import search
from tuku.storage import DiskStorage

BENCH = (Path(".bench") / "index_types").absolute()
LITE = ("FLAT", "HNSW", "HNSW_SQ", "IVF_FLAT", "IVF_SQ8")
SERVER = ("FLAT", "HNSW", "IVF_FLAT", "IVF_SQ8", "IVF_PQ")  # this binary is built without DISKANN
KINDS = ("image", "text")
QUERIES = 200


@dataclass(frozen=True)
class Line:
    """What was measured of one index type; recall by kind of query and field, query time in ms by field."""

    where: str
    index: str
    recall: dict[tuple[str, str], float]
    query_ms: dict[str, float]
    size_mib: float

    def __str__(self) -> str:
        recalls = [f"{self.recall[pair]:.3f}" if pair in self.recall else "–" for pair in _pairs()]
        times = [f"{self.query_ms[kind]:.1f}" if kind in self.query_ms else "–" for kind in KINDS]
        return f"| {' | '.join([self.where, self.index, *recalls, *times, f'{self.size_mib:.1f}'])} |"


def lake_of(limit: int) -> Lake:
    """The pictures' lake; made if it is not there."""
    folder = BENCH / f"lake-{limit}"
    if not Lake.at(str(folder)).committed_runs():
        catalogue = make_catalogue(Path(".bench") / "pictures", limit)
        settings = [f"lake.uri={folder}", f"milvus.uri={BENCH / 'first.db'}", "verify.min_recall=0"]
        options = [part for setting in settings for part in ("--set", setting)]
        command = [sys.executable, "-m", "tuku", "ingest", str(catalogue), "--config", "conf/local.yaml", *options]
        subprocess.run(command, check=True)
    return Lake.at(str(folder))


def measured(lake: Lake, uri: str, index: str, where: str, data: Path) -> Line:
    """Load the lake into a Milvus that keeps its data in `data`, and look."""
    kinds = KINDS if where == "Lite" else ("image",)
    milvus = {"uri": uri, "vectors": kinds, "collection": f"t_{index.lower()}", "index": {"type": index}}
    verify = {"min_recall": 0, "sample": 300, "keys": False}
    config = Config.model_validate({"milvus": milvus, "load": {"alias": False}, "verify": verify})
    view, stamp = LakeView.of_one_space(lake), lake.stamp()
    assert stamp is not None
    before = size_mib(data)
    report = load_and_verify(
        LoadOrder(
            config=config,
            lake=view,
            ledgers=DiskStorage(BENCH / "ledgers"),
            run_id="bench",
            embed_model=stamp.embed_model,
            dim=stamp.dim,
            progress=lambda *_: None,
            require_lease=lambda: None,
        )
    )
    recalls = {check.name: float(check.actual) for check in report.checks if check.name.startswith("recall")}
    names = {(query, field): f"recall@10, {query} queries on {field}_embedding" for query, field in _pairs()}
    recall = {pair: recalls[name] for pair, name in names.items() if name in recalls}
    size = (size_mib(data) - before) / len(kinds)
    times = {kind: query_ms(config, view, kind) for kind in kinds}
    return Line(where, index, recall, times, size)


def query_ms(config: Config, view: LakeView, kind: str) -> float:
    """Median of the time of one query, in ms."""
    field = f"{kind}_embedding"
    queries = np.asarray(view.sample(QUERIES, seed=1).column(field).to_pylist(), np.float32)
    times = []
    with connected(config.milvus) as client:
        client.load_collection(config.milvus.collection)
        for query in queries:
            started = time.perf_counter()
            search(client, config.milvus.collection, field, query[None], config.milvus.index, output=[ID])
            times.append(time.perf_counter() - started)
    return 1e3 * statistics.median(times)


def size_mib(data: Path) -> float:
    """Of all index files below the data folder of Lite (``*.idx``) or of a server (``index_files``)."""
    files = (path for path in data.rglob("*") if path.suffix == ".idx" or "index_files" in path.parts)
    return sum(path.stat().st_size for path in files if path.is_file()) / 2**20


def _pairs() -> list[tuple[str, str]]:
    return [(query, field) for field in KINDS for query in KINDS]


def lines(lake: Lake, only: Sequence[str]) -> list[Line]:
    found = []
    for index in (index for index in LITE if index in only):
        data = BENCH / "lite"
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        found.append(measured(lake, str(data / "milvus.db"), index, "Lite", data))
        print(found[-1], flush=True)
    shutil.rmtree(BENCH / "server", ignore_errors=True)
    with MilvusServer(BENCH / "server") as server:
        for index in (index for index in SERVER if index in only):
            found.append(measured(lake, server.uri, index, "2.3.5", server.folder / "data"))
            print(found[-1], flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=6_000)
    parser.add_argument("--only", nargs="+", default=[*LITE, *SERVER], help="types of index")
    arguments = parser.parse_args()
    lake = lake_of(arguments.limit)
    recalls = [f"{query} → {field}" for query, field in _pairs()]
    head = ["Milvus", "index", *recalls, *(f"ms, {kind}" for kind in KINDS), "MiB"]
    table = [f"| {' | '.join(head)} |", "|---|---|" + "---:|" * (len(head) - 2), *map(str, lines(lake, arguments.only))]
    print("\n".join(table))


if __name__ == "__main__":
    main()
