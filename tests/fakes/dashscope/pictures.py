"""Pictures as they arrive: data URIs of files."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import math
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from fakes.dashscope.catalogue import Model
from fakes.dashscope.errors import invalid
from tuku.protocols import PictureSize, Pixels

MIN_SIDE_PX = 10
MAX_ASPECT = 200
_DRAFT_PX = 16


@dataclass(frozen=True)
class ImageFile:
    """A picture whose header has been read; its pixels have not.

    Attributes:
        sha256: hex digest of the file's bytes.
    """

    content: bytes = field(repr=False)
    sha256: str
    width: int
    height: int

    def tokens(self, model: Model) -> int:
        """What it costs to look at it."""
        return math.ceil(self.width / model.patch_px) * math.ceil(self.height / model.patch_px) + 2

    def mean_rgb(self) -> tuple[int, int, int]:
        """The mean colour; a JPEG is decoded at an eighth of its size.

        Raises:
            ApiError: the file is broken.
        """
        with _opened(self.content) as image:
            image.draft("RGB", (_DRAFT_PX, _DRAFT_PX))
            red, green, blue = _decoded(image).resize((1, 1), Image.Resampling.BOX).tobytes()
        return red, green, blue

    def pixels(self, size: PictureSize) -> Pixels:
        """RGB, reduced as a model asks.

        Raises:
            ApiError: the file is broken.
        """
        scale = size.scale(self.width, self.height)
        with _opened(self.content) as image:
            reduced = _decoded(image).resize((max(1, round(self.width * scale)), max(1, round(self.height * scale))))
        return np.asarray(reduced)


def read_picture(uri: object, model: Model) -> ImageFile:
    """A data URI's picture, if the model takes such a one.

    Raises:
        ApiError: it does not.
    """
    if not isinstance(uri, str) or not uri.startswith("data:image/"):
        raise invalid("The image must be a data URI: nothing is downloaded here.", "InvalidURL")
    head, comma, encoded = uri.partition(",")
    if not comma or not head.endswith(";base64"):
        raise invalid("The image is not in base64.")
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid(f"The image is not in base64: {error}.") from error
    if (len(uri) if model.encoded else len(content)) > model.image_bytes:
        raise invalid(f"The image has more than {model.image_bytes:,} bytes.")
    with _opened(content) as image:
        width, height = image.size
    if min(width, height) < MIN_SIDE_PX:
        raise _algorithm(f"height:{height} or width:{width} must be at least {MIN_SIDE_PX}")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise _algorithm(f"the aspect ratio of {width}:{height} must be at most {MAX_ASPECT}")
    return ImageFile(content, hashlib.sha256(content).hexdigest(), width, height)


def _algorithm(message: str) -> Exception:
    return invalid(
        f"The image does not meet the model's restrictions: {message}.", "InternalError.Algo.InvalidParameter"
    )


def _opened(content: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content))
    except (OSError, Image.DecompressionBombError) as error:
        raise invalid("The image format is illegal and cannot be opened.") from error


def _decoded(image: Image.Image) -> Image.Image:
    try:
        return image.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise invalid("The image is broken and cannot be decoded.") from error
