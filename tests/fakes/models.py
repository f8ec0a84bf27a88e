"""Models without weights: the same answer for the same picture, at once, and failures where they are asked for.

They see colours and nothing else. A picture's caption names the colour nearest to its mean, and pictures and texts
share a vector space whose first three dimensions are red, green and blue, so "red" finds what is red.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from tuku.errors import RowError, TukuError
from tuku.protocols import (
    Caption,
    CaptionHeard,
    ModelDescription,
    Picture,
    PictureSize,
    Usage,
    Vector,
    VectorHeard,
    unheard,
)

T = TypeVar("T")

COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "grey": (128, 128, 128),
}
"""RGB of the colours that the fakes know, by their names."""

DIM = 8
_GRAIN = 0.05  # how far apart two inputs of the same colour lie


@dataclass
class Meter:
    """Counts requests, and ends them all with an error once so many have been answered.

    Args:
        stops_with: raised instead of an answer.
        stops_after: how many requests are answered before.
    """

    stops_with: TukuError | None = None
    stops_after: int = 0
    answered: int = 0
    _taken: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self) -> None:
        """Count one request.

        Raises:
            TukuError: `stops_with`.
        """
        with self._lock:
            if self.stops_with is not None and self.answered >= self.stops_after:
                raise self.stops_with
            self.answered += 1

    def take_usage(self) -> Usage:
        """What was counted since this was last asked."""
        with self._lock:
            requests, self._taken = self.answered - self._taken, self.answered
            return Usage(requests=requests)


@dataclass
class FakeCaptioner:
    """Names the colour of a picture.

    Args:
        failures: by the picture's content_sha256.
        captions: what to say instead of the colour, by content_sha256.
        meter: counts requests, one for each call.
        seen: content_sha256 of every picture asked about.
    """

    failures: Mapping[str, RowError] = field(default_factory=dict)
    captions: Mapping[str, Caption] = field(default_factory=dict)
    meter: Meter = field(default_factory=Meter)
    seen: list[str] = field(default_factory=list)

    @property
    def description(self) -> ModelDescription:
        return ModelDescription("fake", "colour-captioner", "1", PictureSize(long_side_px=16), languages=("en",))

    def caption(self, pictures: Sequence[Picture], heard: CaptionHeard = unheard) -> list[Caption | RowError]:
        self.meter.count()
        self.seen += [picture.content_sha256 for picture in pictures]
        return _told([self._answer(picture) for picture in pictures], heard)

    def take_usage(self) -> Usage:
        return self.meter.take_usage()

    def _answer(self, picture: Picture) -> Caption | RowError:
        digest = picture.content_sha256
        if digest in self.failures:
            return self.failures[digest]
        if digest in self.captions:
            return self.captions[digest]
        colour = _colour_of(picture)
        return Caption(f"A {colour} picture", (colour, "picture"))


@dataclass
class FakeEmbedder:
    """Puts pictures and texts where their colours are.

    Args:
        failures: by the picture's content_sha256, or by the text.
        meter: counts requests, one for each call.
    """

    failures: Mapping[str, RowError] = field(default_factory=dict)
    meter: Meter = field(default_factory=Meter)

    @property
    def description(self) -> ModelDescription:
        return ModelDescription("fake", "colour-embedder", "1", PictureSize(short_side_px=8), dim=DIM)

    def embed_pictures(self, pictures: Sequence[Picture], heard: VectorHeard = unheard) -> list[Vector | RowError]:
        self.meter.count()
        return _told([self._vector(picture.content_sha256, _mean(picture)) for picture in pictures], heard)

    def embed_passages(self, texts: Sequence[str], heard: VectorHeard = unheard) -> list[Vector | RowError]:
        self.meter.count()
        return _told([self._vector(text, _named(text)) for text in texts], heard)

    def embed_queries(self, texts: Sequence[str]) -> list[Vector | RowError]:
        return self.embed_passages(texts)

    def take_usage(self) -> Usage:
        return self.meter.take_usage()

    def _vector(self, key: str, rgb: Vector) -> Vector | RowError:
        if key in self.failures:
            return self.failures[key]
        grain = np.frombuffer(hashlib.sha256(key.encode()).digest()[: DIM - 3], np.uint8).astype(np.float32)
        vector: Vector = np.concatenate([rgb / 255, _GRAIN * (grain + 1) / 256])
        vector /= np.linalg.norm(vector)
        return vector


def _told(answers: list[T | RowError], heard: Callable[[int, T], None]) -> list[T | RowError]:
    for position, answer in enumerate(answers):
        if not isinstance(answer, RowError):
            heard(position, answer)
    return answers


def _mean(picture: Picture) -> Vector:
    mean: Vector = picture.pixels.reshape(-1, 3).mean(axis=0, dtype=np.float32)
    return mean


def _colour_of(picture: Picture) -> str:
    mean = _mean(picture)
    return min(COLOURS, key=lambda name: float(np.abs(mean - COLOURS[name]).sum()))


def _named(text: str) -> Vector:
    words = text.lower().split()
    rgb = [COLOURS[word] for word in words if word in COLOURS]
    return np.mean(rgb, axis=0, dtype=np.float32) if rgb else np.zeros(3, np.float32)
