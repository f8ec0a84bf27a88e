"""Where answers come from: the colour of a picture, nothing at all, or real models."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fakes.dashscope.asked import Part
from fakes.dashscope.pictures import ImageFile
from fakes.models import COLOURS
from tuku.protocols import Vector

PALETTE = {
    **COLOURS,
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "orange": (255, 140, 0),
    "purple": (128, 0, 128),
    "pink": (255, 170, 190),
    "brown": (120, 70, 30),
}
CHINESE = {
    "red": "红色", "green": "绿色", "blue": "蓝色", "yellow": "黄色", "grey": "灰色", "white": "白色", "black": "黑色",
    "orange": "橙色", "purple": "紫色", "pink": "粉色", "brown": "棕色",
}  # fmt: skip

_WORD = re.compile("[a-z]+")
_GRAINS = 5
_GRAIN = 0.05  # how far apart two inputs of the same colour lie


@dataclass(frozen=True)
class Words:
    """What is said of a picture in one language; five keywords."""

    sentence: str
    keywords: tuple[str, ...]


class Mind(Protocol):
    """Deterministic, and without memory: work that is asked for twice is done twice."""

    def describe(self, picture: ImageFile, *, chinese: bool) -> Words:
        """In Chinese at most 50 characters."""
        ...

    def vector(self, parts: Sequence[Part]) -> Vector:
        """The telling first dimensions, float32, L2-normalised; the others are zero or nearly so."""
        ...


class ColourMind:
    """Sees the mean colour and reads names of colours.

    Args:
        sees: False: not even that; it decodes nothing.
        numbers: it describes no two pictures alike: each has a number.
    """

    def __init__(self, *, sees: bool = True, numbers: bool = False) -> None:
        self._sees, self._numbers = sees, numbers

    def describe(self, picture: ImageFile, *, chinese: bool) -> Words:
        mean = self._mean(picture)
        name = min(PALETTE, key=lambda colour: sum(abs(a - b) for a, b in zip(mean, PALETTE[colour], strict=True)))
        number = picture.sha256[:8] if self._numbers else ""
        if chinese:
            sentence = f"画面以{CHINESE[name]}为主，色调均匀，构图简洁{number and f'，编号{number}'}。"
            return Words(sentence, (CHINESE[name], "图片", "色彩", "背景", "简洁"))
        sentence = f"A {name} picture, plain and even in tone{number and f', number {number}'}."
        return Words(sentence, (name, "picture", "colour", "background", "plain"))

    def vector(self, parts: Sequence[Part]) -> Vector:
        rgb = _mean_of([self._rgb(part) for part in parts])
        seed = "".join(part if isinstance(part, str) else part.sha256 for part in parts)
        grains = hashlib.sha256(seed.encode()).digest()[:_GRAINS]
        # Eight numbers: NumPy would take longer.
        numbers = [*(value / 255 for value in rgb), *(_GRAIN * (grain + 1) / 256 for grain in grains)]
        length = math.sqrt(sum(number * number for number in numbers))
        return np.array([number / length for number in numbers], np.float32)

    def _rgb(self, part: Part) -> tuple[float, ...]:
        return self._mean(part) if isinstance(part, ImageFile) else named_rgb(part)

    def _mean(self, picture: ImageFile) -> tuple[int, int, int]:
        return picture.mean_rgb() if self._sees else PALETTE["grey"]


def named_rgb(text: str) -> tuple[float, ...]:
    """The mean of the colours that a text names, in English or Chinese; black if it names none."""
    lower = text.lower()
    words = set(_WORD.findall(lower))
    named = [rgb for name, rgb in PALETTE.items() if name in words or CHINESE[name] in lower]
    return _mean_of(named) if named else PALETTE["black"]


def _mean_of(colours: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(sum(values) / len(colours) for values in zip(*colours, strict=True))
