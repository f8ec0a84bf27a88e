"""Models that one hosts oneself, in the whole job: how much of their speed is left.

    python benchmarks/gpu_embed.py [--device cpu|cuda] [--count N] [--runs 3]
    python benchmarks/gpu_embed.py --captions [--device cpu|cuda] [--count N] [--runs 3]

The first compares a bare loop, which feeds a Chinese-CLIP from memory, with pictures that are decoded and prepared,
with tuku, from Ray being up to the committed lake, over a folder of JPEGs of 224 to 256 px. They take turns, each in
processes of its own, and both load the model within their time. Weights are by chance, for speed does not depend on
them. On a GPU it is a ViT-B/16 in float16; on a processor a small one, which two processes of one thread each compute.

The second has a small Qwen3-VL write captions in batches and one at a time. It cannot end an answer, so that all are of
one length.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from local_ingest import run_job
from pictures import make_small

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

BENCH = Path(".bench")
SIDE, DIM = 224, 512
DISTINCT = 8  # batches that the bare loop has in memory
TOKENS = 40  # of a caption


@dataclass(frozen=True)
class Setup:
    """What is measured on a device.

    Attributes:
        vision: the picture encoder's shape.
        text: the text encoder's, which is loaded and has nothing to do.
        dtype: of the numbers.
        batch_size: pictures computed together.
        processes: that compute.
        count: of pictures.
        goal: least part of the bare loop's speed.
        captioner: width and number of its layers.
        captions: how many are written.
        caption_batches: how many together.
    """

    vision: dict[str, int]
    text: dict[str, int]
    dtype: str
    batch_size: int
    processes: int
    count: int
    goal: float
    captioner: tuple[int, int]
    captions: int
    caption_batches: tuple[int, ...]


def _encoder(width: int, layers: int) -> dict[str, int]:
    heads = width // 64
    return {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
    }


SETUPS = {
    "cpu": Setup(
        vision={**_encoder(256, 4), "patch_size": 16, "image_size": SIDE},
        text=_encoder(64, 2),
        dtype="float32",
        batch_size=16,
        processes=2,
        count=3_200,
        goal=0.85,
        captioner=(512, 8),
        captions=32,
        caption_batches=(1, 4, 16),
    ),
    "cuda": Setup(
        vision={**_encoder(768, 12), "patch_size": 16, "image_size": SIDE},
        text=_encoder(768, 12),
        dtype="float16",
        batch_size=128,
        processes=1,
        count=51_200,
        goal=0.9,
        captioner=(1024, 16),
        captions=64,
        caption_batches=(1, 4, 16, 64),
    ),
}


def embedder_folder(device: str) -> Path:
    """The Chinese-CLIP, made once."""
    from fakes import tiny_models

    setup, folder = SETUPS[device], BENCH / f"chinese-clip-{device}"
    if not (folder / "preprocessor_config.json").exists():  # it is written last
        shutil.rmtree(folder, ignore_errors=True)
        tiny_models.chinese_clip(folder, vision=setup.vision, text=setup.text, dim=DIM)
    return folder


def captioner_folder(device: str) -> Path:
    """The Qwen3-VL, made once; the tokens that end an answer are never the likeliest."""
    import torch
    from transformers import AutoModelForImageTextToText

    from fakes import tiny_qwen

    (width, layers), folder = SETUPS[device].captioner, BENCH / f"qwen3-vl-{device}"
    if not (folder / ".ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        tiny_qwen.qwen3_vl(folder, hidden=width, layers=layers)
        model = AutoModelForImageTextToText.from_pretrained(folder)
        with torch.no_grad():
            model.lm_head.weight[model.generation_config.eos_token_id] = 0
        model.save_pretrained(folder)
        (folder / ".ready").touch()
    return folder


def run_bare(device: str, count: int) -> dict[str, float]:
    """Images per second of processes with nothing around them."""
    setup = SETUPS[device]
    batches = math.ceil(count / setup.processes / setup.batch_size)
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(setup.processes + 1)
    arguments = (device, batches, barrier)
    processes = [context.Process(target=_bare_loop, args=arguments) for _ in range(setup.processes)]
    for process in processes:
        process.start()
    barrier.wait()
    started = time.perf_counter()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit("the bare loop failed")
    images = setup.processes * batches * setup.batch_size
    return {"images_per_s": images / (time.perf_counter() - started)}


def _bare_loop(device: str, batches: int, barrier: object) -> None:
    setup, memory = SETUPS[device], prepared(device)
    barrier.wait()
    import torch
    from transformers import AutoModel

    dtype = getattr(torch, setup.dtype)
    model = AutoModel.from_pretrained(embedder_folder(device), dtype=dtype).to(device).eval()
    inputs = [torch.from_numpy(batch) for batch in memory]
    if device == "cuda":
        inputs = [batch.pin_memory() for batch in inputs]
    vectors = []
    with torch.inference_mode():
        for batch in islice(cycle(inputs), batches):
            features = model.get_image_features(pixel_values=batch.to(device, non_blocking=True)).pooler_output
            vectors.append(torch.nn.functional.normalize(features.float(), dim=-1))
    assert torch.cat(vectors).cpu().numpy().shape == (batches * setup.batch_size, DIM)


def prepared(device: str) -> list[np.ndarray]:
    """Batches as the model takes them: (batch, 3, 224, 224) each."""
    from tuku.providers.hf.checkpoint import Checkpoint

    setup, preprocessing = SETUPS[device], Checkpoint.read(embedder_folder(device), "embed.model").preprocessing
    pictures = np.stack([read_and_prepared(path, preprocessing) for path in _some(DISTINCT * setup.batch_size)])
    scaled = ((pictures / 255 - preprocessing.mean) / preprocessing.std).transpose(0, 3, 1, 2)
    return np.split(np.ascontiguousarray(scaled, dtype=setup.dtype), DISTINCT)


def read_and_prepared(path: Path, preprocessing: object) -> np.ndarray:
    """A picture as tuku prepares it: uint8 (224, 224, 3)."""
    from tuku.imaging import decode

    pixels = decode(path.read_bytes(), max_pixels=10**8, sizes=[preprocessing.picture_size]).pixels
    return preprocessing(pixels)


def _some(count: int) -> list[Path]:
    return sorted((BENCH / "small-pictures").glob("*.jpg"))[:count]


def decoding_ms(device: str, count: int = 1_000) -> float:
    """Milliseconds of one processor that a picture takes to be read, decoded, and prepared."""
    from tuku.providers.hf.checkpoint import Checkpoint

    preprocessing, paths = Checkpoint.read(embedder_folder(device), "embed.model").preprocessing, _some(count)
    started = time.process_time()
    for path in paths:
        read_and_prepared(path, preprocessing)
    return 1000 * (time.process_time() - started) / len(paths)


def run_tuku(device: str, count: int) -> dict[str, float]:
    """Images per second from Ray being up to the committed lake."""
    from tuku.config import Config

    setup, lake = SETUPS[device], BENCH / "out-gpu-embed"
    shutil.rmtree(lake, ignore_errors=True)
    on_gpu = {"worker_cpus": os.cpu_count(), "worker_gpus": 1} if device == "cuda" else {}
    embed = {"model": str(embedder_folder(device).resolve()), "dtype": setup.dtype, "batch_size": setup.batch_size}
    config = Config.model_validate(
        {
            "lake": {"uri": str(lake)},
            "manifest": {"uri": str((BENCH / "small-pictures").resolve()), "limit": count},
            "caption": {"provider": "none"},
            "embed": {"provider": "hf", "device": device, **embed},
            "milvus": {"vectors": ["image"]},
            "runtime": {"workers": setup.processes, **on_gpu},
        }
    )
    return {"images_per_s": count / run_job(config)}


def run_captions(device: str, count: int, batch_size: int) -> dict[str, float]:
    """Captions per second, so many written together; loading the model does not count."""
    from tuku.config import CaptionConfig
    from tuku.imaging import decode
    from tuku.protocols import Picture
    from tuku.providers.registry import create_captioner

    settings = {"device": device, "batch_size": batch_size, "max_tokens": TOKENS}
    captioner = create_captioner(CaptionConfig(provider="qwen_vl", model=str(captioner_folder(device)), **settings))
    sizes = [captioner.description.picture_size]
    pictures = [
        Picture(decode(path.read_bytes(), max_pixels=10**8, sizes=sizes).pixels, path.name) for path in _some(count)
    ]
    captioner.caption(pictures[:batch_size])
    started = time.perf_counter()
    captioner.caption(pictures)
    return {"images_per_s": count / (time.perf_counter() - started)}


@contextmanager
def gpu_use(device: str, found: list[float]) -> Iterator[None]:
    """Percent of the time that the GPU computes, five times a second, from its first work to its last."""
    if device != "cuda":
        yield
        return
    query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--id=0", "-lms", "200"]
    watch = subprocess.Popen(query, stdout=subprocess.PIPE, text=True)
    try:
        yield
    finally:
        watch.terminate()
        samples = [float(line) for line in watch.communicate()[0].split()]
        busy = [place for place, sample in enumerate(samples) if sample > 0]
        found += samples[busy[0] : busy[-1] + 1] if busy else []


def whole_process(mode: str, device: str, count: int, batch_size: int = 0) -> float:
    """What a mode says of its speed, in a process of its own."""
    threads = {"OMP_NUM_THREADS": "1"} if device == "cpu" else {}
    options = ["--mode", mode, "--device", device, "--count", str(count), "--batch-size", str(batch_size)]
    done = subprocess.run(
        [sys.executable, __file__, *options],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        # Modules are compiled once, as for everybody, whatever this machine has been told.
        env={**os.environ, **threads, "PYTHONDONTWRITEBYTECODE": ""},
    )
    return json.loads(done.stdout.strip().splitlines()[-1])["images_per_s"]


def compare_embedding(device: str, count: int, runs: int) -> None:
    """The bare loop and tuku in turns."""
    make_small(BENCH / "small-pictures", count)
    embedder_folder(device)
    speeds: dict[str, list[float]] = {"bare": [], "tuku": []}
    used: dict[str, list[float]] = {"bare": [], "tuku": []}
    for _ in range(runs):
        for mode, found in speeds.items():
            with gpu_use(device, used[mode]):
                found.append(whole_process(mode, device, count))
            print(f"{mode:12} {found[-1]:7.1f} images/s", flush=True)
    bare, tuku = (statistics.median(found) for found in speeds.values())
    cores, each_ms = os.cpu_count(), decoding_ms(device)
    print(f"bare loop: {bare:.0f} images/s, tuku: {tuku:.0f} images/s, on a machine with {cores} processors")
    for mode, samples in used.items():
        if samples:
            print(f"{mode}: the GPU is at work {statistics.mean(samples):.0f}% of the time")
    print(f"reading, decoding and preparing: {each_ms:.2f} ms a picture, so {tuku * each_ms / 1000:.2f} processors")
    print(f"tuku's images/s against the bare loop's: {tuku / bare:.2f} (goal {SETUPS[device].goal:g})")


def compare_captions(device: str, count: int, runs: int) -> None:
    """Batch sizes in turns."""
    make_small(BENCH / "small-pictures", count)
    captioner_folder(device)
    sizes = SETUPS[device].caption_batches
    speeds: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(runs):
        for size in sizes:
            speeds[size].append(whole_process("captions", device, count, size))
    alone, *_ = medians = [statistics.median(speeds[size]) for size in sizes]
    for size, speed in zip(sizes, medians, strict=True):
        print(f"{size:3} captions at a time: {speed:6.2f} a second, {speed / alone:.2f} times one at a time")


def main() -> None:
    """Run one mode, or compare them."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--device", choices=SETUPS, default="cpu")
    options.add_argument("--count", type=int)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--captions", action="store_true")
    options.add_argument("--mode", choices=["bare", "tuku", "captions"], help=argparse.SUPPRESS)
    options.add_argument("--batch-size", type=int, help=argparse.SUPPRESS)
    given = options.parse_args()
    setup = SETUPS[given.device]
    if given.mode == "bare":
        print(json.dumps(run_bare(given.device, given.count)))
    elif given.mode == "tuku":
        print(json.dumps(run_tuku(given.device, given.count)))
    elif given.mode == "captions":
        print(json.dumps(run_captions(given.device, given.count, given.batch_size)))
    elif given.captions:
        compare_captions(given.device, given.count or setup.captions, given.runs)
    else:
        compare_embedding(given.device, given.count or setup.count, given.runs)


if __name__ == "__main__":
    main()
