"""The loaded models. A process has one of each: a picture is classified once for its caption and its vector."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from threading import Lock
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tuku.providers.local.assets import TEXT_ENCODER
from tuku.providers.local.class_names import imagenet_classes
from tuku.providers.local.classifier import Classifier, converted_model
from tuku.providers.local.conse import class_vectors
from tuku.providers.local.text_encoder import TextEncoder

T = TypeVar("T")


def _once(load: Callable[[], T]) -> Callable[[], T]:
    """Like `functools.cache`, and threads that come together wait for one load instead of loading each."""
    loaded, lock = cache(load), Lock()

    @wraps(load)
    def locked() -> T:
        with lock:
            return loaded()

    return locked


@_once
def classifier() -> Classifier:
    """EfficientNet-Lite0."""
    return Classifier(converted_model())


@_once
def text_encoder() -> TextEncoder:
    """MiniLM."""
    return TextEncoder()


@_once
def imagenet_vectors() -> npt.NDArray[np.float32]:
    """Where the classes lie among texts: float32 (1000, 384), L2-normalised."""
    return class_vectors(imagenet_classes(), text_encoder(), TEXT_ENCODER.sha256)
