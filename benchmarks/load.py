"""Lake → Milvus against scripts written by hand with pymilvus, on a real server (2.3.5) and on Milvus Lite.

python benchmarks/load.py [--only bulk lite memory] [--rows 20000] [--dim 512] [--runs 3]

Every time ends when all rows can be searched: filled, indexed, loaded, and count(*) says so. Medians of runs that take
turns; a ratio is the hand-written script's seconds over tuku's, so above 1 tuku is faster. The lake is made by chance
(`made_lakes`), the schema and the index (HNSW) are the same for all (`by_hand`).

bulk: tuku cuts the lake into import files, stages and imports them, and proves what arrived. A script that only imports
    does the middle part. So: files → searchable, both with files that tuku exported before (its lake is still read);
    lake → searchable, where the script writes its files with pyarrow alone; and tuku with its export against the script
    without any. The proof is printed apart. The script creates the index when all is there, as one would; a fourth
    ratio is against one that has the server index while it imports, as tuku does.
insert: tuku without bulk import (`load.bulk_import: off`), and a script's `insert` of dicts that it has in memory
    before the clock starts, 1,000 at a time, each against tuku's bulk import from the lake.
lite: tuku, from the lake, against `insert` of dicts, which are in memory before the clock starts; and the same with
    the time it took to read them.
memory: the peak of the loading process (VmHWM), for 20,000 and 200,000 rows of 128 dimensions by bulk import.

Goals: files → searchable and lake → searchable 0.95; lite 0.9; memory within 20%.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any, TypeVar
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import by_hand
from made_lakes import MODEL, lake_of

from milvus_server import MilvusServer
from tuku.config import Config
from tuku.lake_view import LakeView
from tuku.milvus import bulk as bulk_import
from tuku.milvus import collection
from tuku.milvus.connect import connected
from tuku.milvus.export import Exported, cut_into, rows_per_file, write_import_file
from tuku.milvus.fields import Layout
from tuku.milvus.job import load_and_verify
from tuku.schemas import IMAGES
from tuku.storage import DiskStorage

BENCH = (Path(".bench") / "load").absolute()
FILES = 4
T = TypeVar("T")
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


def by_tuku(config: Config, lake: LakeView, dim: int, exported: Mapping[str, Exported] | None = None) -> Times:
    """Load a lake.

    Args:
        config: of the load.
        lake: that is loaded.
        dim: length of its vectors.
        exported: import files in `BENCH / "exported"` which are taken instead of writing any.
    """
    seen: dict[tuple[str, bool], float] = {}
    exporting = 0.0

    def progress(phase: str, done: int, total: int) -> None:
        if phase == "index" and done == total:
            with connected(config.milvus) as client:
                assert collection.count(client, config.milvus.collection) == total
        seen.setdefault((phase, done == total), time.perf_counter() - started)

    def write(tables: Iterator[Any], layout: Layout, storage: DiskStorage, name: str) -> Exported:
        nonlocal exporting
        began = time.perf_counter()
        if exported is None:
            made = write_import_file(tables, layout, storage, name)
        else:
            made = exported[name]
            Path(storage.where(name)).parent.mkdir(parents=True, exist_ok=True)
            Path(storage.where(name)).hardlink_to(BENCH / "exported" / name)
        exporting += time.perf_counter() - began
        return made

    with patch.object(bulk_import, "write_import_file", write):
        started = time.perf_counter()
        load_and_verify(
            config,
            lake,
            ledgers=DiskStorage(BENCH / "ledgers"),
            run_id="bench",
            embed_model=MODEL,
            dim=dim,
            progress=progress,
            require_lease=lambda: None,
        )
    filling = "import" if ("import", True) in seen else "insert"
    return Times(seen[filling, True], seen["index", True], time.perf_counter() - started, exporting)


def medians(contenders: Mapping[str, Callable[[], Any]], runs: int) -> dict[str, list[Any]]:
    """What each of them returns, run after run, taking turns."""
    found: dict[str, list[Any]] = {name: [] for name in contenders}
    for run in range(runs):
        for name, contender in contenders.items():
            found[name].append(contender())
            print(f"  {run + 1}/{runs} {name}: {found[name][-1]}", flush=True)
    return found


@contextmanager
def dropped(config: Config) -> Iterator[Config]:
    """A collection that is gone afterwards, so that the next one finds an empty server."""
    try:
        yield config
    finally:
        with connected(config.milvus) as client:
            client.drop_collection(config.milvus.collection)


def measure_bulk(rows: int, dim: int, runs: int, server: MilvusServer) -> None:
    lake = lake_of(BENCH / f"lake-{rows}x{dim}-image", rows, dim, ("image",))
    config = configured(server.uri, ("image",), staging_uri=str(BENCH / "staging"))
    layout = Layout.wanted(config.milvus, dim, nulls=False)
    file_mb = max(1, round(_file_bytes(lake, layout) / FILES / 1e6 + 0.5))
    exported = _export(lake, layout, file_mb)
    files = [str(BENCH / "exported" / name) for name in exported]
    parts = [BENCH / f"lake-{rows}x{dim}-image" / file.name for file in lake.files]
    dicts = by_hand.rows_of(files)

    def tuku(given: Mapping[str, Exported] | None = None, **load: str) -> Times:
        staged = {"staging_uri": str(BENCH / "staging"), "file_mb": file_mb, **load}
        with dropped(configured(server.uri, ("image",), **staged)) as config:
            return by_tuku(config, lake, dim, given)

    def hand(script: Callable[[Config], float]) -> float:
        with dropped(configured(server.uri, ("image",))) as config:
            return script(config)

    found = medians(
        {
            "tuku": tuku,
            "tuku, exported before": lambda: tuku(exported),
            "by hand": lambda: hand(lambda config: by_hand.bulk(config, layout, files, rows)),
            "by hand, index first": lambda: hand(
                lambda config: by_hand.bulk(config, layout, files, rows, index_first=True)
            ),
            "export by hand": lambda: by_hand.export(parts, BENCH / "by-hand", layout, len(files)),
            "tuku, insert": lambda: tuku(bulk_import="off"),
            "insert by hand": lambda: hand(lambda config: by_hand.insert(config, layout, dicts)),
        },
        runs,
    )
    print_bulk(rows, dim, len(files), found)


def print_bulk(rows: int, dim: int, files: int, found: Mapping[str, list[Any]]) -> None:
    lake_s = median(each.searchable for each in found["tuku"])
    files_s = median(each.searchable for each in found["tuku, exported before"])
    hand_s, hand_export_s = median(found["by hand"]), median(found["export by hand"])
    insert_s, hand_insert_s = median(each.searchable for each in found["tuku, insert"]), median(found["insert by hand"])
    exporting_s = median(each.exporting for each in found["tuku"])
    proof_s = median(each.proven - each.searchable for each in found["tuku"])
    print(f"bulk import of {rows:,} rows of {dim} dimensions, {files} files:")
    print(f"  files → searchable: tuku {files_s:.1f} s, by hand {hand_s:.1f} s: {hand_s / files_s:.2f} (goal 0.95)")
    both_s = hand_s + hand_export_s
    print(f"  lake → searchable:  tuku {lake_s:.1f} s, by hand {both_s:.1f} s: {both_s / lake_s:.2f} (goal 0.95)")
    print(f"  tuku with its export against the script without: {hand_s / lake_s:.2f}")
    first_s = median(found["by hand, index first"])
    print(
        f"  files → searchable against a script that creates the index first: {first_s:.1f} s: {first_s / files_s:.2f}"
    )
    print(f"  of tuku's: export {exporting_s:.1f} s (by hand {hand_export_s:.1f} s); then the proof {proof_s:.1f} s")
    print(f"insert: tuku {insert_s:.1f} s, {insert_s / lake_s:.2f} times its bulk import;", end=" ")
    print(f"by hand {hand_insert_s:.1f} s, {hand_insert_s / lake_s:.2f} times", flush=True)


def measure_lite(rows: int, dim: int, runs: int) -> None:
    kinds = ("image", "text")
    lake = lake_of(BENCH / f"lake-{rows}x{dim}-both", rows, dim, kinds)
    layout = Layout.wanted(configured("x.db", kinds).milvus, dim, nulls=True)
    files = [str(BENCH / "exported" / name) for name in _export(lake, layout, 256)]
    began = time.perf_counter()
    dicts = by_hand.rows_of(files)
    reading_s = time.perf_counter() - began

    def with_file(load: Callable[[Config], T]) -> T:
        shutil.rmtree(BENCH / "lite", ignore_errors=True)
        (BENCH / "lite").mkdir(parents=True)
        return load(configured(str(BENCH / "lite" / "milvus.db"), kinds))

    found = medians(
        {
            "tuku": lambda: with_file(lambda config: by_tuku(config, lake, dim)),
            "insert by hand": lambda: with_file(lambda config: by_hand.insert(config, layout, dicts)),
        },
        runs,
    )
    tuku_s, hand_s = median(each.searchable for each in found["tuku"]), median(found["insert by hand"])
    proof_s = median(each.proven - each.searchable for each in found["tuku"])
    print(f"Lite, {rows:,} rows with two vectors of {dim} dimensions:")
    print(f"  searchable: tuku {tuku_s:.1f} s, by hand {hand_s:.1f} s: {hand_s / tuku_s:.2f} (goal 0.9);", end=" ")
    print(f"with reading the files ({reading_s:.1f} s) {(hand_s + reading_s) / tuku_s:.2f}")
    print(f"  then tuku's proof {proof_s:.1f} s", flush=True)


def measure_memory(runs: int, server: MilvusServer) -> None:
    peaks = {}
    for rows in (20_000, 200_000):
        lake_of(BENCH / f"lake-{rows}x128-image", rows, 128, ("image",))
        command = [sys.executable, __file__, "--peak-of", str(rows), "--uri", server.uri]
        answers = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(runs)]
        peaks[rows] = median(float(answer.split()[-1]) for answer in answers)
        print(f"memory: {rows:,} rows of 128 dimensions: peak {peaks[rows]:.0f} MiB", flush=True)
    print(f"  growth: {peaks[200_000] / peaks[20_000]:.2f} (goal at most 1.20)")


def print_peak(rows: int, uri: str) -> None:
    """In a process of its own: load, and print the most memory it ever had, in MiB."""
    lake = lake_of(BENCH / f"lake-{rows}x128-image", rows, 128, ("image",))
    with dropped(configured(uri, ("image",), staging_uri=str(BENCH / "staging"))) as config:
        by_tuku(config, lake, 128)
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(int(status["VmHWM"].split()[0]) / 1024)


def _file_bytes(lake: LakeView, layout: Layout) -> float:
    """About how many bytes all of it makes as import files."""
    first = next(iter(lake.batches(IMAGES.names)))
    return lake.rows() * 1e9 / rows_per_file(first, layout, 1_000_000_000)


def _export(lake: LakeView, layout: Layout, file_mb: int) -> dict[str, Exported]:
    shutil.rmtree(BENCH / "exported", ignore_errors=True)
    storage = DiskStorage(BENCH / "exported")
    storage.prepare()
    rows = rows_per_file(next(iter(lake.batches(IMAGES.names))), layout, file_mb * 1_000_000)
    parts = enumerate(cut_into(lake.batches(IMAGES.names), rows))
    return {
        bulk_import.file_name(number): write_import_file(part, layout, storage, bulk_import.file_name(number))
        for number, part in parts
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=["bulk", "lite", "memory"], default=["bulk", "lite", "memory"])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peak-of", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--uri", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak_of:
        print_peak(arguments.peak_of, arguments.uri)
        return
    if {"bulk", "memory"} & set(arguments.only):
        shutil.rmtree(BENCH / "server", ignore_errors=True)
        with MilvusServer(BENCH / "server") as server:
            if "bulk" in arguments.only:
                measure_bulk(arguments.rows, arguments.dim, arguments.runs, server)
            if "memory" in arguments.only:
                measure_memory(arguments.runs, server)
    if "lite" in arguments.only:
        measure_lite(arguments.rows, arguments.dim, arguments.runs)


if __name__ == "__main__":
    main()
