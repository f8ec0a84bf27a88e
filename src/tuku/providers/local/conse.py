"""Where a picture lies among texts: the mean of its likeliest classes' texts, weighted by their probabilities.

Norouzi et al., "Zero-Shot Learning by Convex Combination of Semantic Embeddings" (ConSE), ICLR 2014.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tuku.errors import ConfigError
from tuku.protocols import Vector
from tuku.providers.hosted.cache import built_once
from tuku.providers.local.class_names import ImageNetClass

Array = npt.NDArray[np.float32]

TOP_CLASSES = 10
TEMPERATURE = 1.5  # softens the probabilities: another view of a photograph is found again more often
DESCRIPTION_WEIGHT = 0.5
BUILD_THREADS = 4
SCHEME_VERSION = 1  # count it up when the vectors of pictures change: it is part of the model's revision


class Encoder(Protocol):
    """As much of the text encoder as is needed here."""

    def encode_all(self, texts: Sequence[str], /) -> Array:
        """Float32 (n, dim), L2-normalised."""
        ...


def probabilities(logits: Array) -> Array:
    """Softmax: float32 (classes,), summing to 1."""
    exponentials = np.exp(logits - logits.max())
    shares: Array = exponentials / exponentials.sum()
    return shares


def picture_vector(logits: Array, class_vectors: Array) -> Vector:
    """The picture's vector, float32 (dim,), L2-normalised.

    Args:
        logits: float32 (classes,).
        class_vectors: float32 (classes, dim), as `class_vectors` gives them.
    """
    top = np.argsort(-logits, kind="stable")[:TOP_CLASSES]
    return unit(probabilities(logits / np.float32(TEMPERATURE))[top] @ class_vectors[top])


def unit(vectors: Array) -> Array:
    """The same directions with length 1; one vector, or one a row."""
    lengths: Array = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return lengths


def class_vectors(classes: tuple[ImageNetClass, ...], encoder: Encoder, encoder_sha256: str) -> Array:
    """Float32 (classes, dim), L2-normalised: each class's names and, at half weight, its description.

    Takes some seconds the first time on a machine, then comes from the cache.

    Args:
        classes: in the order of the logits.
        encoder: the text encoder.
        encoder_sha256: digest of its weights.
    """
    inputs = json.dumps([DESCRIPTION_WEIGHT, encoder_sha256, [[c.names, c.description] for c in classes]])
    digest = hashlib.sha256(inputs.encode()).hexdigest()
    path = built_once(f"imagenet-class-vectors-{digest}.npy", lambda: _serialised(_encode(classes, encoder)))
    try:
        return np.asarray(np.load(path, allow_pickle=False), np.float32)
    except (ValueError, EOFError) as error:
        raise ConfigError(f"The cached file {path} is damaged.", "Delete it: it is made anew.") from error


def _encode(classes: tuple[ImageNetClass, ...], encoder: Encoder) -> Array:
    texts = sorted({text for c in classes for text in (*c.names, c.description) if text})
    shares = [texts[start::BUILD_THREADS] for start in range(BUILD_THREADS)]
    with ThreadPoolExecutor(BUILD_THREADS) as pool:
        encoded = pool.map(encoder.encode_all, shares)
        rows = {
            text: row
            for share, block in zip(shares, encoded, strict=True)
            for text, row in zip(share, block, strict=True)
        }
    return unit(np.stack([_encode_class(c, rows) for c in classes]))


def _encode_class(imagenet_class: ImageNetClass, rows: dict[str, Array]) -> Array:
    vector: Array = np.mean([rows[name] for name in imagenet_class.names], axis=0)
    if imagenet_class.description:
        vector = vector + DESCRIPTION_WEIGHT * rows[imagenet_class.description]
    return vector


def _serialised(array: Array) -> bytes:
    buffer = BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
