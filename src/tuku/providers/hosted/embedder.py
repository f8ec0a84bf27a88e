"""Pictures and texts in the space of a model that runs here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tuku.errors import RowError
from tuku.protocols import ModelDescription, Picture, Pixels, Usage, Vector, VectorHeard, unheard

Vectors = npt.NDArray[np.float32]
"""Embeddings: float32 (n, dim), L2-normalised."""

_NO_DIRECTION = RowError("not_finite", "The model's vector is not finite, or zero; dtype float32 or bfloat16 may help.")
_ROUNDING = 1e-3


class Towers(Protocol):
    """A picture encoder and a text encoder whose vectors meet in one space. Safe to call from several threads."""

    def prepare(self, pixels: Pixels) -> Pixels:
        """What the model looks at of a picture: uint8 (height, width, 3), the same for all."""
        ...

    def pictures(self, prepared: Sequence[Pixels]) -> Vectors:
        """Vectors of at least one picture that `prepare` has been through, in order."""
        ...

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Vectors of at least one text, in order; what is longer than the model takes is cut."""
        ...


class TowersEmbedder:
    """A `tuku.protocols.Embedder`.

    Args:
        description: of the model.
        towers: the model.
    """

    def __init__(self, description: ModelDescription, towers: Towers) -> None:
        self.description = description
        self._towers = towers

    def embed_pictures(self, pictures: Sequence[Picture], heard: VectorHeard = unheard) -> list[Vector | RowError]:
        """One vector for each picture, in order."""
        if not pictures:
            return []
        return checked(self._towers.pictures([self._towers.prepare(each.pixels) for each in pictures]), heard)

    def embed_passages(self, texts: Sequence[str], heard: VectorHeard = unheard) -> list[Vector | RowError]:
        """One vector for each text, in order. What is longer than the model takes is cut."""
        if not texts:
            return []
        # Half a surrogate pair is no text to a tokenizer.
        return checked(self._towers.texts([text.encode(errors="replace").decode() for text in texts]), heard)

    def embed_queries(self, texts: Sequence[str]) -> list[Vector | RowError]:
        """The same as passages: these models know one kind of text."""
        return self.embed_passages(texts)

    def take_usage(self) -> Usage:
        """Nothing: no request leaves the machine."""
        return Usage()


def checked(vectors: Vectors, heard: VectorHeard) -> list[Vector | RowError]:
    """The vectors, or ``not_finite`` for one that has no direction. Each that has one is told of."""
    answers: list[Vector | RowError] = []
    usable = np.isclose(np.linalg.norm(vectors, axis=1), 1, atol=_ROUNDING)
    for position, vector in enumerate(vectors):
        if not usable[position]:
            answers.append(_NO_DIRECTION)
            continue
        heard(position, vector)
        answers.append(vector)
    return answers
