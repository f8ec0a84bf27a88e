"""A picture encoder and a text encoder whose vectors meet in one space."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuku.protocols import Pixels
from tuku.providers.hf.checkpoint import Checkpoint
from tuku.providers.hosted.device import Device
from tuku.providers.hosted.embedder import Vectors
from tuku.providers.hosted.pretrained import pretrained

if TYPE_CHECKING:
    import torch


class HfTowers:
    """Implements `hosted.embedder.Towers` by transformers.

    Args:
        checkpoint: the model's files.
        device: where it computes.

    Raises:
        ConfigError: weights or tokenizer that cannot be loaded.
    """

    def __init__(self, checkpoint: Checkpoint, device: Device) -> None:
        import torch

        self._preprocessing = checkpoint.preprocessing
        self._device = device
        self._model = pretrained("The weights", checkpoint.path, lambda auto: auto.AutoModel, dtype=device.dtype)
        self._model = self._model.to(device.torch_device).eval()
        self._tokenizer = pretrained("The tokenizer", checkpoint.path, lambda auto: auto.AutoTokenizer)
        self._tokens = checkpoint.text_tokens
        self._padding = "max_length" if checkpoint.family.pads_texts else True
        # A tokenizer notes how it pads before it does: two threads at once are an error.
        self._tokenizing = threading.Lock()
        as_column = {"device": device.torch_device, "dtype": torch.float32}
        self._mean, self._std = (
            torch.tensor(values, **as_column).view(1, 3, 1, 1)
            for values in (self._preprocessing.mean, self._preprocessing.std)
        )

    def prepare(self, pixels: Pixels) -> Pixels:
        """See `Towers`."""
        return self._preprocessing(pixels)

    def pictures(self, prepared: Sequence[Pixels]) -> Vectors:
        """See `Towers`."""
        return np.stack(self._device.in_batches(prepared, self._picture_batch))

    def texts(self, texts: Sequence[str]) -> Vectors:
        """See `Towers`."""
        return np.stack(self._device.in_batches(texts, self._text_batch))

    def _picture_batch(self, prepared: Sequence[Pixels]) -> Vectors:
        import torch

        # Bytes go to the GPU, a quarter of the floats; the colours are scaled there.
        colours = self._device.sent(np.stack(prepared))
        with self._device.turn:
            scaled = (colours.permute(0, 3, 1, 2).to(torch.float32) / 255 - self._mean) / self._std
            vectors = _normalised(self._model.get_image_features(pixel_values=scaled.to(self._device.dtype)))
        found: Vectors = vectors.cpu().numpy()
        return found

    def _text_batch(self, texts: Sequence[str]) -> Vectors:
        with self._tokenizing:
            tokens = self._tokenizer(
                list(texts), padding=self._padding, truncation=True, max_length=self._tokens, return_tensors="np"
            )
        inputs = {name: self._device.sent(tokens[name]) for name in ("input_ids", "attention_mask") if name in tokens}
        with self._device.turn:
            vectors = _normalised(self._model.get_text_features(**inputs))
        found: Vectors = vectors.cpu().numpy()
        return found


def _normalised(features: Any) -> torch.Tensor:
    import torch

    vectors: torch.Tensor = getattr(features, "pooler_output", features)
    return torch.nn.functional.normalize(vectors.to(torch.float32), dim=-1)
