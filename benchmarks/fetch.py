"""Fetching over HTTP: tuku against img2dataset, and against bare aiohttp.

    python benchmarks/fetch.py [--count 3000] [--runs 3]

The pictures come from a server on this machine, a process of its own. Two ratios are printed, medians over the runs,
which take turns:

* img2dataset / tuku, seconds of the whole process, start and stop included: download, decode, reduce the short side
  to 256 px, write JPEG of quality 95, in two processes. img2dataset runs in an environment of its own, with its default
  hash (tuku takes one too) and without its EXIF dump. Printed as well: the time that each needs for a few pictures,
  and the CPU time of each, which says more than the clock where others use the machine too.
* bare aiohttp / tuku, seconds of downloading alone, in one process with 32 connections each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

BENCH = Path(".bench")
SERVER = Path("tests/fakes/image_server.py")
PROCESSES = 2
SIDE_PX = 256
QUALITY = 95
FEW = 32  # pictures in the runs that show what starting and stopping take
WHOLE = ("tuku", "img2dataset")
DOWNLOADS = ("bare", "download")


def run_tuku(urls: list[str], out: Path) -> None:
    """Two processes, each doing what the pipeline's worker does up to the models."""
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_tuku_worker, args=(urls[part::PROCESSES], out / str(part))) for part in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit("a process of tuku failed")


def _tuku_worker(urls: list[str], out: Path) -> None:
    from tuku.config import FetchConfig
    from tuku.fetching import GuardedFetcher
    from tuku.protocols import PictureSize
    from tuku.stages.decode import decode_batch
    from tuku.stages.fetch import fetch_batch

    out.mkdir(parents=True)
    rows = 32
    batches = [_rows(urls[start : start + rows]) for start in range(0, len(urls), rows)]
    with GuardedFetcher(FetchConfig(allow_private_networks=True)) as fetcher, ThreadPoolExecutor(1) as ahead:
        waiting = ahead.submit(fetch_batch, batches[0], fetcher)
        for number in range(len(batches)):
            fetched = waiting.result()
            if number + 1 < len(batches):
                waiting = ahead.submit(fetch_batch, batches[number + 1], fetcher)
            sizes = [PictureSize(short_side_px=SIDE_PX)]
            _write(decode_batch(fetched, max_pixels=10**8, sizes=sizes), out)


def _rows(urls: list[str]) -> object:
    import pyarrow as pa

    from tuku.schemas import ROWS

    known = {"uri": urls, "manifest_uri": ["/manifest.csv"] * len(urls)}
    nothing = [None] * len(urls)
    return pa.table({field.name: known.get(field.name, nothing) for field in ROWS}, schema=ROWS)


def _write(batch: object, out: Path) -> None:
    import numpy as np

    from tuku.imaging import encode_jpeg

    for row in batch.select(["uri", "pixels", "pixels_width", "pixels_height", "code"]).to_pylist():
        if row["code"] is not None:
            raise SystemExit(f"{row['uri']}: {row['code']}")
        pixels = np.frombuffer(row["pixels"], np.uint8).reshape(row["pixels_height"], row["pixels_width"], 3)
        name = row["uri"].rpartition("/")[2]
        (out / name).write_bytes(encode_jpeg(pixels, quality=QUALITY))


def run_img2dataset(url_list: Path, out: Path) -> None:
    """The same, as its README has it; shards are small enough for both processes to have work."""
    from img2dataset import download

    download(
        url_list=str(url_list),
        output_folder=str(out),
        processes_count=PROCESSES,
        thread_count=64,
        image_size=SIDE_PX,
        resize_mode="keep_ratio",
        resize_only_if_bigger=True,
        encode_quality=QUALITY,
        extract_exif=False,
        number_sample_per_shard=250,
        output_format="files",
    )


def img2dataset_python() -> Path:
    """An environment with img2dataset, made once."""
    folder = BENCH / "img2dataset-venv"
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "img2dataset==1.47.0"], check=True)
        (folder / ".ready").touch()
    return python


async def run_bare(urls: list[str], connections: int) -> None:
    """Plain aiohttp as its documentation has it: one session, everything read."""
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:

        async def get(url: str) -> bytes:
            async with session.get(url) as response:
                response.raise_for_status()
                return await response.read()

        for batch in _batches(urls):
            await asyncio.gather(*(get(url) for url in batch))


def run_download(urls: list[str]) -> None:
    """The same with tuku's fetcher."""
    from tuku.config import FetchConfig
    from tuku.errors import RowError
    from tuku.fetching import GuardedFetcher

    with GuardedFetcher(FetchConfig(allow_private_networks=True)) as fetcher:
        for batch in _batches(urls):
            for file in fetcher.fetch(batch):
                if isinstance(file, RowError):
                    raise SystemExit(str(file))


def _batches(urls: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(urls), 256):
        yield urls[start : start + 256]


def work(mode: str, url_list: Path, out: Path) -> None:
    """Do one mode's work in this process, and say how many seconds it took."""
    urls = url_list.read_text(encoding="utf-8").split()
    if mode in DOWNLOADS:
        import aiohttp  # noqa: F401  # both use it; its import is not what is measured

        import tuku.fetching.http  # noqa: F401  # likewise
    started = time.perf_counter()
    if mode == "tuku":
        run_tuku(urls, out)
    elif mode == "img2dataset":
        run_img2dataset(url_list, out)
    elif mode == "bare":
        asyncio.run(run_bare(urls, connections=32))
    else:
        run_download(urls)
    print(json.dumps({"seconds": time.perf_counter() - started}))


def measure(mode: str, python: Path | str, url_list: Path, count: int) -> tuple[float, float]:
    """(seconds of the whole process or of the downloading alone, CPU seconds of the process and its children)."""
    out = BENCH / f"out-fetch-{mode}"
    shutil.rmtree(out, ignore_errors=True)
    # img2dataset's albumentations would ask for its newest version on every start.
    environment = {**os.environ, "NO_ALBUMENTATIONS_UPDATE": "1"}
    command = [python, __file__, "--mode", mode, "--urls", url_list, "--out", out]
    cpu_before, started = _cpu_seconds(), time.perf_counter()
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )
    seconds, cpu = time.perf_counter() - started, _cpu_seconds() - cpu_before
    if mode in DOWNLOADS:
        return float(json.loads(done.stdout.strip().splitlines()[-1])["seconds"]), cpu
    written = sum(1 for _ in out.rglob("*.jpg"))
    if written != count:
        raise SystemExit(f"{mode} wrote {written} of {count} pictures")
    return seconds, cpu


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A server for the folder, as a process of its own."""
    with subprocess.Popen([sys.executable, SERVER, folder], stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def compare(folder: Path, count: int, runs: int) -> None:
    """Measure all modes in turns and print the ratios."""
    pythons = dict.fromkeys((*WHOLE, *DOWNLOADS), sys.executable)
    pythons["img2dataset"] = img2dataset_python()
    files = sorted(folder.glob("*.jpg"))[:count]
    with served(folder) as url:
        lists = {number: BENCH / f"urls-{number}.txt" for number in (FEW, count)}
        for number, path in lists.items():
            path.write_text("".join(f"{url}/{file.name}\n" for file in files[:number]), encoding="utf-8")
        few = {mode: measure(mode, pythons[mode], lists[FEW], FEW)[0] for mode in WHOLE}
        times: dict[str, list[tuple[float, float]]] = {mode: [] for mode in pythons}
        for _ in range(runs):
            for mode in (*WHOLE, *DOWNLOADS * 3):  # downloads are over in a second: one would say little
                times[mode].append(measure(mode, pythons[mode], lists[count], count))
                print(f"{mode:11} {times[mode][-1][0]:6.2f} s, CPU {times[mode][-1][1]:6.2f} s", flush=True)
    median = {mode: statistics.median(seconds for seconds, _ in values) for mode, values in times.items()}
    cpu = {mode: statistics.median(seconds for _, seconds in values) for mode, values in times.items()}
    for mode in WHOLE:
        rate = (count - FEW) / (median[mode] - few[mode])
        print(f"{mode}: {count / median[mode]:.0f} images/s; {few[mode]:.1f} s for {FEW}, then {rate:.0f} images/s")
    print(f"tuku's speed against img2dataset's: {median['img2dataset'] / median['tuku']:.2f} (goal 1.50)")
    print(f"  in CPU time: {cpu['img2dataset'] / cpu['tuku']:.2f}")
    print(f"tuku's downloads against bare aiohttp's: {median['bare'] / median['download']:.2f} (goal 0.90)")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--count", type=int, default=3000)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--mode", choices=[*WHOLE, *DOWNLOADS])
    options.add_argument("--urls", type=Path)
    options.add_argument("--out", type=Path)
    given = options.parse_args()
    if given.mode:
        work(given.mode, given.urls, given.out)
        return
    from pictures import make_catalogue

    folder = make_catalogue(BENCH / "pictures", given.count).parent
    compare(folder, given.count, given.runs)


if __name__ == "__main__":
    main()
