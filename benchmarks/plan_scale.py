"""Planning an unchanged catalogue of 10^4, 10^5 and 10^6 files: seconds and memory, of `tuku plan` as a process.

python benchmarks/plan_scale.py [--rows 10000 100000 1000000]

The files are on a local disk and are asked for size and mtime; the lake is filled without any model. Memory is PSS
summed over the process tree, less what an idle Ray of this size takes. Goals: time grows no faster than the rows, and
10^6 rows take less than 45 s and 2 GB.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa

from tuku.config_load import load_config
from tuku.lake import Lake
from tuku.runtime.models import describe_models
from tuku.schemas import DEAD_LETTERS, IMAGES
from tuku.stages.fingerprints import source_fingerprint
from tuku.stages.manifest import read_manifest

BENCH = Path(".bench") / "plan_scale"
DIM = 64  # the planner reads no vector: they only have to be passed over
ROWS_PER_FILE = 256  # as a run leaves them


def catalogue_of(rows: int) -> Path:
    """A manifest of so many files, which exist."""
    folder = BENCH / str(rows)
    manifest = folder / "catalogue.csv"
    if not manifest.exists():
        shutil.rmtree(folder, ignore_errors=True)
        for start in range(0, rows, 1_000):
            (folder / f"{start // 1_000:04d}").mkdir(parents=True)
            for number in range(start, start + 1_000):
                (folder / f"{start // 1_000:04d}" / f"{number}.jpg").touch()
        with manifest.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "path", "category", "price"])
            writer.writerows(
                [f"sku-{i:08d}", f"{i // 1_000:04d}/{i}.jpg", "shoes", f"{i % 1_000}.5"] for i in range(rows)
            )
    return manifest


def lake_of(rows: int, manifest: Path) -> Path:
    """A lake that holds the whole manifest, as if it had been ingested."""
    folder = BENCH / f"{rows}-lake"
    shutil.rmtree(folder, ignore_errors=True)
    config = load_config(Path("conf/local.yaml"), [], {})
    models = describe_models(config)
    run, _ = Lake.at(str(folder)).begin()
    vectors = np.random.default_rng(0).standard_normal((ROWS_PER_FILE, DIM)).astype(np.float32)
    for number, table in enumerate(read_manifest(config.manifest, str(manifest.absolute()), batch_rows=ROWS_PER_FILE)):
        count = table.num_rows
        known = {
            **{name: table.column(name) for name in ("image_id", "uri", "metadata")},
            "content_sha256": [f"{number * ROWS_PER_FILE + i:064x}" for i in range(count)],
            "caption": ["a picture of something that is for sale"] * count,
            "image_embedding": list(vectors[:count]),
            "source_fingerprint": list(map(source_fingerprint, table.column("uri").to_pylist())),
            "caption_fingerprint": [models.caption_fingerprint] * count,
            "embedding_fingerprint": [models.embedding_fingerprint] * count,
        }
        columns = [
            pa.array(known[f.name], f.type)
            if isinstance(known.get(f.name), list)
            else known.get(f.name, pa.nulls(count, f.type))
            for f in IMAGES
        ]
        run.write_block(f"{number:06d}", pa.table(columns, schema=IMAGES), DEAD_LETTERS.empty_table())
    run.commit()
    return folder


def measured(manifest: Path, lake: Path) -> tuple[float, float, int]:
    """Seconds and peak PSS (MiB) of `tuku plan`, and the rows it found unchanged."""
    command = [sys.executable, "-m", "tuku", "plan", str(manifest), "--set", f"lake.uri={lake}", "--json"]
    started = time.perf_counter()
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    peak = 0.0
    while run.poll() is None:
        peak = max(peak, pss(psutil.Process(run.pid)))
        time.sleep(0.25)
    seconds = time.perf_counter() - started
    assert run.stdout is not None
    return seconds, peak / 2**20, json.loads(run.stdout.read())["rows"]["unchanged"]


def idle_ray_mib() -> float:
    """PSS of a Ray of two CPUs that does nothing."""
    script = (
        "import ray, time; ray.init(address='local', num_cpus=2, include_dashboard=False, log_to_driver=False);"
        " print(1, flush=True); time.sleep(60)"
    )
    run = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert run.stdout is not None
    run.stdout.readline()
    time.sleep(3)
    idle = pss(psutil.Process(run.pid)) / 2**20
    run.terminate()
    run.wait(30)
    return idle


def pss(root: psutil.Process) -> float:
    """Bytes, over the process and all below it."""
    total = 0.0
    try:
        processes = [root, *root.children(recursive=True)]
    except psutil.Error:
        return 0.0
    for process in processes:
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue  # It ended meanwhile.
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    idle = idle_ray_mib()
    for rows in arguments.rows:
        manifest = catalogue_of(rows)
        lake = lake_of(rows, manifest)
        runs = [measured(manifest, lake) for _ in range(arguments.runs)]
        assert {unchanged for *_, unchanged in runs} == {rows}
        seconds, peak = sorted(run[0] for run in runs)[len(runs) // 2], max(run[1] for run in runs)
        print(
            f"{rows:9,} rows: {seconds:6.1f} s (median of {len(runs)}), {1e6 * seconds / rows:5.0f} us a row,"
            f" peak {peak:5.0f} MiB ({peak - idle:5.0f} MiB beyond an idle Ray's {idle:.0f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
