"""Catalogues for the benchmarks: distinct JPEGs of mixed size, cut out of photographs in scikit-image and -learn.

python benchmarks/pictures.py FOLDER COUNT
"""

from __future__ import annotations

import csv
import io
import math
import random
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

from PIL import Image

_MEAN_PIXELS = 790_000  # as in the measurements of docs: 0.79 megapixel and about 112 KB on average
_PHOTOGRAPHS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "motorcycle_left.png",
    "rocket.jpg",
)


def make_catalogue(folder: Path, count: int, mean_pixels: int = _MEAN_PIXELS) -> Path:
    """A folder of `count` JPEGs and a ``catalogue.csv`` that lists them; what is there already is kept.

    Args:
        folder: one for each mean size.
        count: how many pictures.
        mean_pixels: of a picture.

    Returns:
        The path of the CSV file.
    """
    _make(folder, count, partial(_mixed, mean_pixels))
    catalogue = folder / f"catalogue-{count}.csv"
    with catalogue.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "uri", "title", "price"])
        rows.writerows([f"p{number:06d}", _name(number), f"picture {number}", number % 500] for number in range(count))
    return catalogue


def make_small(folder: Path, count: int) -> None:
    """A folder of at least `count` JPEGs with sides of 224 to 256 px, which are cheap to decode.

    Args:
        folder: what is there already is kept.
        count: how many pictures.
    """
    _make(folder, count, _small)


def _make(folder: Path, count: int, sized: Callable[[random.Random], tuple[int, int]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    missing = [number for number in range(count) if not (folder / _name(number)).exists()]
    with ProcessPoolExecutor() as pool:
        for _ in pool.map(partial(_write, folder, sized), missing, chunksize=50):
            pass


def _name(number: int) -> str:
    return f"{number:06d}.jpg"


def _mixed(mean_pixels: int, chance: random.Random) -> tuple[int, int]:
    pixels = mean_pixels * chance.lognormvariate(-0.18, 0.6)
    aspect = chance.uniform(0.6, 1.7)
    return max(64, round(math.sqrt(pixels * aspect))), max(64, round(math.sqrt(pixels / aspect)))


def _small(chance: random.Random) -> tuple[int, int]:
    return chance.randint(224, 256), chance.randint(224, 256)


def _write(folder: Path, sized: Callable[[random.Random], tuple[int, int]], number: int) -> None:
    chance = random.Random(number)
    photographs = _photographs()
    photograph = photographs[number % len(photographs)]
    size = sized(chance)
    share = chance.uniform(0.4, 1.0)
    width, height = photograph.size
    left, top = chance.uniform(0, 1 - share) * width, chance.uniform(0, 1 - share) * height
    box = (round(left), round(top), round(left + share * width), round(top + share * height))
    out = io.BytesIO()
    photograph.resize(size, Image.Resampling.BICUBIC, box=box).save(out, "JPEG", quality=chance.randint(80, 92))
    temporary = folder / f".{_name(number)}"
    temporary.write_bytes(out.getvalue())
    temporary.replace(folder / _name(number))


@cache
def _photographs() -> list[Image.Image]:
    import skimage
    import sklearn.datasets

    paths = [Path(skimage.__file__).parent / "data" / name for name in _PHOTOGRAPHS]
    paths += [Path(sklearn.datasets.__file__).parent / "images" / name for name in ("china.jpg", "flower.jpg")]
    return [Image.open(path).convert("RGB") for path in paths]


if __name__ == "__main__":
    print(make_catalogue(Path(sys.argv[1]), int(sys.argv[2])))
