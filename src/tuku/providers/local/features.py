"""Adds to a picture's vector what no class name tells: its features, beside the part that texts are compared with.

With t a text's vector, c a picture's ConSE vector and f its projected features, all of length 1, the vectors
(t, 0) and (c, w f) / sqrt(1 + w²) have the product t·c / sqrt(1 + w²): every text ranks the pictures as before.
"""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np
import numpy.typing as npt

from tuku.protocols import Vector
from tuku.providers.local.conse import unit

Array = npt.NDArray[np.float32]

INPUT_DIM = 1280
DIM = 256
WEIGHT = np.float32(1.5)


@cache
def _projection() -> Array:
    """Random signs, float32 (1280, 256), which keep angles on average.

    Achlioptas, "Database-friendly random projections", JCSS 2003.

    They come from a hash and not from a random generator, whose streams may differ between versions of numpy.
    """
    noise = hashlib.shake_256(b"tuku features 1").digest(INPUT_DIM * DIM // 8)
    signs = np.unpackbits(np.frombuffer(noise, np.uint8)).reshape(INPUT_DIM, DIM)
    return signs.astype(np.float32) * 2 - 1


def with_features(vector: Vector, features: Array) -> Vector:
    """The picture's vector, float32 (dim + 256,), L2-normalised.

    Args:
        vector: float32 (dim,), L2-normalised.
        features: float32 (1280,), of any length.
    """
    return unit(np.concatenate([vector, WEIGHT * unit(features @ _projection())]))


def without_features(vector: Vector) -> Vector:
    """A text's vector, float32 (dim + 256,), L2-normalised."""
    return np.concatenate([vector, np.zeros(DIM, np.float32)])
