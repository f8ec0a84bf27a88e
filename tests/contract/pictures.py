"""Pictures for tests: odd ones made here, and real ones from scikit-image's wheel."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

import numpy as np
from PIL import Image

from tuku.protocols import ModelDescription, Picture, Pixels

# What every service known so far refuses: sides under 10 px or of more than 1 : 200.
_REFUSED = {"one pixel": "picture_too_small", "5000x10": "picture_too_narrow", "10x5000": "picture_too_narrow"}


def picture(pixels: Pixels) -> Picture:
    """These pixels, with a digest of their own."""
    return Picture(pixels, hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest())


def noise(seed: int, width: int = 300, height: int = 256) -> Picture:
    """Colours at random, in 16 px squares."""
    squares = np.random.default_rng(seed).integers(0, 256, (height // 16 + 1, width // 16 + 1, 3), np.uint8)
    return picture(squares.repeat(16, axis=0).repeat(16, axis=1)[:height, :width])


@cache
def photograph(name: str) -> Picture:
    """A photograph of scikit-image, such as ``coffee.png``; its short side is 256 px."""
    with files("skimage").joinpath("data", name).open("rb") as file:
        image = Image.open(file).convert("RGB")
    scale = 256 / min(image.size)
    size = (round(image.width * scale), round(image.height * scale))
    return picture(np.asarray(image.resize(size, Image.Resampling.BICUBIC)))


def odd_pictures() -> dict[str, Picture]:
    """Shapes and colours at the edge of what the decoder delivers."""
    grey = np.arange(256, dtype=np.uint8)[:, None, None].repeat(256, axis=1).repeat(3, axis=2)
    return {
        "one pixel": picture(np.full((1, 1, 3), 200, np.uint8)),
        "5000x10": picture(np.resize(np.arange(256, dtype=np.uint8), (10, 5000, 3))),
        "10x5000": picture(np.resize(np.arange(256, dtype=np.uint8), (5000, 10, 3))),
        "grey": picture(grey),
        "black": picture(np.zeros((256, 256, 3), np.uint8)),
        "a view of other pixels": picture(noise(9, 512, 512).pixels[::2, ::-2]),
        "read-only": picture(np.frombuffer(bytes(256 * 256 * 3), np.uint8).reshape(256, 256, 3)),
    }


def refusal(model: ModelDescription, name: str) -> str | None:
    """The code with which a model may refuse an odd picture; None: it may not. Most that run here take all."""
    if model.provider == "qwen_vl":
        return "picture_too_narrow" if name in {"5000x10", "10x5000"} else None
    return _REFUSED.get(name) if model.lane == "api" else None
