"""The main job on this machine against a bare two-process loop and against Daft.

    python benchmarks/local_ingest.py [--count 6000] [--runs 3]

All three do the same work: read the file, decode it at reduced scale, EfficientNet-Lite0, MiniLM on the caption;
tuku and Daft also write Parquet. Ratios are printed, medians over the runs, which take turns:

* bare / tuku, images per second. The bare loop's clock starts when its two processes are up; tuku's when Ray is, so
  planning, starting the workers, loading the models, and committing count.
* Daft / tuku, seconds of the whole process, start and stop included. Daft runs in an environment of its own, as one
  class UDF on two processes (the fastest shape that was found), and decodes with Pillow as its users do. tuku's decoder
  is part of tuku: what Daft does with that is printed too.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import time
import venv
from pathlib import Path

import numpy as np
from PIL import Image

BENCH = Path(".bench")
PROCESSES = 2


def run_bare(catalogue: Path) -> float:
    """Seconds that two processes with nothing around them need."""
    with catalogue.open(encoding="utf-8", newline="") as file:
        paths = [str(catalogue.parent / row["uri"]) for row in csv.DictReader(file)]
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES + 1)
    processes = [
        context.Process(target=_bare_loop, args=(paths[part::PROCESSES], barrier)) for part in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    barrier.wait()
    started = time.perf_counter()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit("the bare loop failed")
    return time.perf_counter() - started


def _bare_loop(paths: list[str], barrier: object) -> None:
    from tuku.imaging import decode
    from tuku.protocols import Picture

    barrier.wait()
    captioner, embedder, sizes = load_models()
    for path in paths:
        content = Path(path).read_bytes()
        picture = Picture(decode(content, max_pixels=10**8, sizes=sizes).pixels, path)
        caption = captioner.caption([picture])[0]
        embedder.embed_pictures([picture])
        embedder.embed_passages([caption.text])


def load_models() -> tuple[object, object, list[object]]:
    """The bundled models, as the pipeline's worker loads them."""
    from tuku.config import CaptionConfig, EmbedConfig
    from tuku.providers.registry import create_captioner, create_embedder

    captioner, embedder = create_captioner(CaptionConfig()), create_embedder(EmbedConfig())
    return captioner, embedder, [captioner.description.picture_size, embedder.description.picture_size]


def run_tuku(catalogue: Path, lake_folder: Path) -> float:
    """Seconds from Ray being up to the committed lake."""
    from tuku.config import Config, LakeConfig, ManifestConfig

    return run_job(Config(lake=LakeConfig(uri=str(lake_folder)), manifest=ManifestConfig(uri=str(catalogue.resolve()))))


def run_job(config: object) -> float:
    """Seconds from Ray being up to the committed lake, for a lake that is new."""
    from tuku.lake import Lake
    from tuku.lake_view import LakeView
    from tuku.progress import SilentProgress
    from tuku.runtime.catalogue import Catalogue
    from tuku.runtime.control import start_control
    from tuku.runtime.engine import run_work_list
    from tuku.runtime.models import describe_models
    from tuku.runtime.parallel import LazyCluster
    from tuku.runtime.planning import Planner
    from tuku.runtime.work_list import WorkList, scratch_of, write_contents
    from tuku.runtime.worker import Assignment
    from tuku.schemas import PAID

    models, lake, progress = describe_models(config), Lake.at(config.lake.uri), SilentProgress()
    with LazyCluster(config.runtime, progress) as cluster:
        workers = cluster.workers()
        started = time.perf_counter()
        run, _ = lake.begin()
        with scratch_of(run) as scratch:
            planner = Planner(config, models, LakeView.everything(lake), scratch)
            planned = planner.plan(Catalogue.of_manifest(config).tables(), cluster, progress)
            WorkList(run, config, models, workers).write(planned.work())
            write_contents(planned.contents, run)
        job = Assignment(config, models, run, PAID.empty_table(), workers, start_control(config.limits))
        ok = sum(stats.ok for stats in run_work_list(job, progress))
        run.commit()
        seconds = time.perf_counter() - started
    if ok != planned.counts.manifest:
        raise SystemExit(f"tuku finished {ok} of {planned.counts.manifest} rows")
    return seconds


def run_daft(catalogue: Path, out: Path, *, with_our_decoder: bool) -> None:
    """The same work as one Daft query: a class UDF on two processes."""
    import daft

    folder = str(catalogue.parent)

    @daft.udf(
        return_dtype=daft.DataType.struct(
            {
                "caption": daft.DataType.string(),
                "image": daft.DataType.list(daft.DataType.float32()),
                "text": daft.DataType.list(daft.DataType.float32()),
            }
        ),
        concurrency=PROCESSES,
        batch_size=32,
    )
    class Describe:
        def __init__(self) -> None:
            self.captioner, self.embedder, self.sizes = load_models()

        def __call__(self, uris: daft.Series) -> list[dict[str, object]]:
            from tuku.imaging import decode
            from tuku.protocols import Picture

            pictures = []
            for uri in uris.to_pylist():
                content = (Path(folder) / uri).read_bytes()
                if with_our_decoder:
                    pixels = decode(content, max_pixels=10**8, sizes=self.sizes).pixels
                else:
                    pixels = pillow_pixels(content)
                pictures.append(Picture(pixels, uri))
            captions = [caption.text for caption in self.captioner.caption(pictures)]
            images = self.embedder.embed_pictures(pictures)
            texts = self.embedder.embed_passages(captions)
            return [
                {"caption": caption, "image": image.tolist(), "text": text.tolist()}
                for caption, image, text in zip(captions, images, texts, strict=True)
            ]

    rows = daft.read_csv(str(catalogue))
    rows = rows.into_batches(256).with_column("described", Describe(rows["uri"]))
    written = rows.write_parquet(str(out))
    written.collect()


def pillow_pixels(content: bytes) -> np.ndarray:
    """Decode and reduce the short side to 256 px in the usual three calls."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    scale = 256 / min(picture.size)
    size = (round(picture.width * scale), round(picture.height * scale))
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC))


def daft_python() -> Path:
    """An environment with Daft and what the models need, made once."""
    folder = BENCH / "daft-venv"
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        packages = ["daft", "-e", ".[local]"]
        subprocess.run([python, "-m", "pip", "install", "-q", "-c", "constraints.txt", *packages], check=True)
        (folder / ".ready").touch()
    return python


def whole_process(python: Path | str, mode: str, catalogue: Path) -> tuple[float, float]:
    """(seconds of the whole process, seconds it says it worked)."""
    out = BENCH / f"out-{mode}"
    shutil.rmtree(out, ignore_errors=True)
    # Modules are compiled once, as for everybody, whatever this machine has been told.
    settings = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": ""}
    environment = {**os.environ, **settings, "DAFT_PROGRESS_BAR": "0", "DO_NOT_TRACK": "1"}
    started = time.perf_counter()
    done = subprocess.run(
        [python, __file__, "--mode", mode, "--catalogue", catalogue, "--out", out],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    seconds = time.perf_counter() - started
    return seconds, json.loads(done.stdout.strip().splitlines()[-1])["seconds"]


def main() -> None:
    """Run one mode, or all of them in turns and print the ratios."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--count", type=int, default=6000)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--mode", choices=["bare", "tuku", "daft", "daft-decoder"])
    options.add_argument("--catalogue", type=Path)
    options.add_argument("--out", type=Path)
    given = options.parse_args()
    if given.mode:
        seconds = 0.0
        if given.mode == "bare":
            seconds = run_bare(given.catalogue)
        elif given.mode == "tuku":
            seconds = run_tuku(given.catalogue, given.out)
        else:
            run_daft(given.catalogue, given.out, with_our_decoder=given.mode == "daft-decoder")
        print(json.dumps({"seconds": seconds}))
        return
    from pictures import make_catalogue

    catalogue = make_catalogue(BENCH / "pictures", given.count)
    daft = daft_python()
    pythons = {"bare": sys.executable, "tuku": sys.executable, "daft": daft, "daft-decoder": daft}
    times: dict[str, list[tuple[float, float]]] = {mode: [] for mode in pythons}
    for _ in range(given.runs):
        for mode, python in pythons.items():
            times[mode].append(whole_process(python, mode, catalogue))
            print(f"{mode:12} whole {times[mode][-1][0]:6.1f} s, worked {times[mode][-1][1]:6.1f} s", flush=True)
    whole = {mode: statistics.median(run[0] for run in runs) for mode, runs in times.items()}
    worked = {mode: statistics.median(run[1] for run in runs) for mode, runs in times.items()}
    for mode in ("bare", "tuku"):
        print(f"{mode}: {given.count / worked[mode]:.0f} images/s")
    print(f"tuku's images/s against the bare loop's: {worked['bare'] / worked['tuku']:.2f} (goal 0.85)")
    print(f"tuku's speed against Daft's, whole processes: {whole['daft'] / whole['tuku']:.2f} (goal 1.10)")
    print(f"against Daft with tuku's decoder: {whole['daft-decoder'] / whole['tuku']:.2f}")


if __name__ == "__main__":
    main()
