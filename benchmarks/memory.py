"""Peak memory of the pipeline, all processes together, for 3,000 and for 12,000 rows.

python benchmarks/memory.py

PSS summed over the process tree (shared pages counted once), sampled four times a second. Goal: within 15%.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
from pictures import make_catalogue

BENCH = Path(".bench")
COUNTS = (3_000, 12_000)


def peak_mib(count: int) -> float:
    """Peak PSS in MiB of a run over `count` rows."""
    catalogue, out = make_catalogue(BENCH / "pictures", count), BENCH / "out-memory"
    shutil.rmtree(out, ignore_errors=True)
    script = str(Path(__file__).with_name("local_ingest.py"))
    run = subprocess.Popen(
        [sys.executable, script, "--mode", "tuku", "--catalogue", catalogue, "--out", out],
        stdout=subprocess.DEVNULL,
    )
    peak = 0.0
    while run.poll() is None:
        peak = max(peak, _pss(psutil.Process(run.pid)))
        time.sleep(0.25)
    if run.returncode:
        raise SystemExit("the run failed")
    return peak / 2**20


def _pss(root: psutil.Process) -> float:
    total = 0.0
    try:
        for process in [root, *root.children(recursive=True)]:
            try:
                total += process.memory_full_info().pss
            except psutil.Error:
                continue  # It ended meanwhile.
    except psutil.Error:
        pass
    return total


if __name__ == "__main__":
    peaks = {count: peak_mib(count) for count in COUNTS}
    for count, peak in peaks.items():
        print(f"{count:6} rows: peak {peak:.0f} MiB")
    print(f"growth: {peaks[COUNTS[1]] / peaks[COUNTS[0]]:.2f} (goal at most 1.15)")
