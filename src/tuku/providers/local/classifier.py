"""EfficientNet-Lite0: which of the 1,000 ImageNet classes a picture shows, and its features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from tuku.protocols import Picture, PictureSize, Pixels
from tuku.providers.hosted.cache import built_once
from tuku.providers.hosted.onnx_session import open_session
from tuku.providers.local.assets import CLASSIFIER_WEIGHTS
from tuku.providers.local.memo import Memo

SHORT_SIDE_PX = 256
CROP_PX = 224
PICTURE_SIZE = PictureSize(short_side_px=SHORT_SIDE_PX)
REMEMBERED_PICTURES = 512  # 9 kB each
CONVERTER_VERSION = 1  # count it up when `convert` changes: what other versions left in the cache is not read


@dataclass(frozen=True)
class Prediction:
    """What the classifier makes of one picture.

    Attributes:
        logits: float32 (1000,).
        features: float32 (1280,), none negative.
    """

    logits: npt.NDArray[np.float32]
    features: npt.NDArray[np.float32]


def converted_model() -> Path:
    """The classifier as ONNX in the cache, converted first if this machine has not done so yet."""
    return built_once(f"efficientnet-lite0-{CLASSIFIER_WEIGHTS.sha256}-v{CONVERTER_VERSION}.onnx", _convert)


def _convert() -> bytes:
    from tuku.providers.local.convert import to_onnx
    from tuku.providers.local.weights import read_state_dict

    return to_onnx(read_state_dict(CLASSIFIER_WEIGHTS.read()))


class Classifier:
    """Safe to call from several threads; a picture that was just classified is not classified again.

    Args:
        model: an ONNX file as `convert.to_onnx` makes it.
    """

    def __init__(self, model: Path) -> None:
        self._session = open_session(model)
        self._seen: Memo[tuple[str, tuple[int, ...]], Prediction] = Memo(REMEMBERED_PICTURES)

    def classify(self, pictures: Sequence[Picture]) -> list[Prediction]:
        """One prediction for each picture, in order."""
        # Equal bytes may have been decoded for different readers, hence to different sizes.
        keys = [(picture.content_sha256, picture.pixels.shape) for picture in pictures]
        return self._seen.get(keys, lambda positions: [self._run(pictures[i].pixels) for i in positions])

    def _run(self, pixels: Pixels) -> Prediction:
        # One by one: batches are no faster on one core, and a picture's numbers do not depend on its neighbours.
        logits, features = self._session.run(["logits", "features"], {"pixels": centre_crop(pixels)[None]})
        return Prediction(logits[0], features[0])


def centre_crop(pixels: Pixels) -> Pixels:
    """The middle square that the classifier looks at: 224/256 of the short side, as uint8 (224, 224, 3).

    Args:
        pixels: RGB of any size, best with a short side of 256 px.
    """
    height, width = pixels.shape[:2]
    reduction = min(height, width) / SHORT_SIDE_PX
    left, top = (int((side / reduction - CROP_PX) // 2) for side in (width, height))
    if reduction == 1:
        return np.ascontiguousarray(pixels[top : top + CROP_PX, left : left + CROP_PX])
    # Resizing only what the crop shows: all of a 5000x10 px picture would become 98 MB.
    box = (left * reduction, top * reduction, (left + CROP_PX) * reduction, (top + CROP_PX) * reduction)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize((CROP_PX, CROP_PX), Image.Resampling.BICUBIC, box=box))
