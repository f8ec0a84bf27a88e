"""What a night costs on which 1% of the catalogue changed, against the first night: model calls and time.

python benchmarks/nightly.py [--rows 10000] [--per-min 1200]

Both are whole `tuku ingest` processes, Milvus Lite and proof included, against the local DashScope (tests/fakes) at the
given quota for captions and embeddings; 1,200 a minute is what DashScope documents for qwen3-vl-flash. Changed: half of
the 1% other pictures, half other metadata only. Goals: at most 3% of the calls and 10% of the time.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fakes.dashscope import DashScopeServer, Latency, Limits, Settings

BENCH = Path(".bench") / "nightly"


def picture(path: Path, seed: int) -> None:
    """A small picture that no other seed makes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def catalogue_of(rows: int) -> Path:
    """A catalogue of so many pictures, no two alike."""
    shutil.rmtree(BENCH, ignore_errors=True)
    (BENCH / "pictures").mkdir(parents=True)
    for number in range(rows):
        picture(BENCH / "pictures" / f"{number}.png", number)
    return write_manifest(rows, {})


def write_manifest(rows: int, prices: dict[int, int]) -> Path:
    """The catalogue's CSV, with some prices that differ from the usual."""
    manifest = BENCH / "catalogue.csv"
    with manifest.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "path", "price"])
        writer.writerows([f"p{number}", f"pictures/{number}.png", prices.get(number, 1)] for number in range(rows))
    return manifest


def night(manifest: Path, server: DashScopeServer, per_min: int) -> tuple[float, int, dict[str, Any]]:
    """Seconds, requests that arrived at the server, and the report of one ingest."""
    settings = {
        "lake.uri": BENCH / "lake",
        "milvus.uri": BENCH / "milvus.db",
        "caption.quota.requests_per_min": per_min,
        "embed.quota.requests_per_min": per_min,
    }
    options = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    command = [sys.executable, "-m", "tuku", "ingest", manifest, "--config", "conf/dashscope_modern.yaml", "--json"]
    before, started = server.counters()["arrived"], time.perf_counter()
    done = subprocess.run(
        [*command, *options], check=False, env={**os.environ, **server.environment}, capture_output=True, text=True
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(done.stderr)
    return seconds, server.counters()["arrived"] - before, json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--per-min", type=int, default=1_200)
    arguments = parser.parse_args()
    rows, changed = arguments.rows, arguments.rows // 100
    settings = Settings(
        answers="numbered", latency=Latency(median_s=1.5, p99_s=8.0), limits=Limits(requests_per_min=arguments.per_min)
    )
    with DashScopeServer(settings) as server:
        first_s, first_calls, report = night(catalogue_of(rows), server, arguments.per_min)
        assert report["rows"]["ok"] == rows, report["rows"]
        for number in range(changed // 2):
            picture(BENCH / "pictures" / f"{number}.png", rows + number)
        manifest = write_manifest(rows, {rows - 1 - number: 2 for number in range(changed // 2)})
        second_s, second_calls, report = night(manifest, server, arguments.per_min)
        assert report["rows"]["changed"] == changed, report["rows"]
        third_s, third_calls, report = night(manifest, server, arguments.per_min)
        assert report["rows"]["unchanged"] == rows, report["rows"]
    print(f"first night:  {rows:,} rows, {first_calls:,} calls, {first_s:.0f} s")
    print(
        f"1% changed:   {second_calls:,} calls ({second_calls / first_calls:.2%}; goal 3%), {second_s:.1f} s "
        f"({second_s / first_s:.1%}; goal 10%)"
    )
    print(f"no change:    {third_calls:,} calls, {third_s:.1f} s ({third_s / first_s:.1%})")


if __name__ == "__main__":
    main()
