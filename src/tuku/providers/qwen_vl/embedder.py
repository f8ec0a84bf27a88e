"""Vectors by a Qwen-VL that runs here: of pictures, of texts, and of both together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from tuku.errors import RowError
from tuku.protocols import ModelDescription, Picture, Usage, Vector, VectorHeard, unheard
from tuku.providers.api.instruction import NOTHING
from tuku.providers.hosted.device import Device
from tuku.providers.hosted.embedder import Vectors, checked
from tuku.providers.qwen_vl.model import Pooling, QwenVL
from tuku.providers.qwen_vl.prompts import Prompt


class QwenVLEmbedder:
    """Implements `tuku.protocols.FusingEmbedder`, in batches.

    Args:
        description: of the model, with the configured length of vectors: shorter ones are the first of their numbers.
        model: loaded.
        device: how much of it at a time.
        pooling: which places of the last hidden layer make the vector.
        instruction: for pictures and stored texts.
        query_instruction: for texts that are searched with, and with a picture.
    """

    def __init__(
        self,
        description: ModelDescription,
        model: QwenVL,
        device: Device,
        pooling: Pooling,
        instruction: str,
        query_instruction: str,
    ) -> None:
        self.description = description
        self._model, self._device, self._pooling = model, device, pooling
        self._instruction, self._query_instruction = instruction, query_instruction

    def embed_pictures(self, pictures: Sequence[Picture], heard: VectorHeard = unheard) -> list[Vector | RowError]:
        """One outcome for each picture, in order."""
        return self._embedded([self._prompt(self._instruction, "", picture) for picture in pictures], heard)

    def embed_passages(self, texts: Sequence[str], heard: VectorHeard = unheard) -> list[Vector | RowError]:
        """One outcome for each text, in order; what is longer than the model takes is cut."""
        return self._embedded([self._prompt(self._instruction, text) for text in texts], heard)

    def embed_queries(self, texts: Sequence[str]) -> list[Vector | RowError]:
        """Like `embed_passages`, with the instruction for queries."""
        return self._embedded([self._prompt(self._query_instruction, text) for text in texts])

    def embed_composed(self, queries: Sequence[tuple[str, Picture]]) -> list[Vector | RowError]:
        """One outcome for each text with its picture, in order."""
        return self._embedded([self._prompt(self._query_instruction, text, picture) for text, picture in queries])

    def take_usage(self) -> Usage:
        """Nothing: no request leaves the machine."""
        return Usage()

    def _prompt(self, instruction: str, text: str, picture: Picture | None = None) -> Prompt | RowError:
        if picture is None:
            return self._model.prompter(instruction, text or NOTHING)
        return self._model.prompter(instruction, text, picture.pixels)

    def _embedded(self, prompts: Sequence[Prompt | RowError], heard: VectorHeard = unheard) -> list[Vector | RowError]:
        outcomes: dict[int, Vector | RowError] = {
            place: prompt for place, prompt in enumerate(prompts) if isinstance(prompt, RowError)
        }
        # The longest first: if memory is short, that is known at once, and a batch has few places to fill up.
        asked = {place: prompt for place, prompt in enumerate(prompts) if isinstance(prompt, Prompt)}
        order = sorted(asked, key=lambda place: -len(asked[place].tokens))
        if order:
            compute = partial(self._model.vectors, pooling=self._pooling)
            rows: Vectors = np.stack(self._device.in_batches([asked[place] for place in order], compute))
            found = checked(_cut(rows, self.description.dim), lambda number, vector: heard(order[number], vector))
            outcomes.update(zip(order, found, strict=True))
        return [outcomes[place] for place in range(len(prompts))]


def _cut(vectors: Vectors, dim: int | None) -> Vectors:
    if dim is None or dim == vectors.shape[1]:
        return vectors
    with np.errstate(invalid="ignore"):  # one without a direction is found by `checked`
        cut: Vectors = vectors[:, :dim] / np.linalg.norm(vectors[:, :dim], axis=1, keepdims=True)
    return cut
