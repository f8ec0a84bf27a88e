"""Smaller pictures: never larger, never distorted by more than the rounding of a pixel."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from tuku.imaging.decode import decode
from tuku.imaging.sizes import reduced_size
from tuku.protocols import PictureSize, Pixels

DEFAULT_MAX_PIXELS = 100_000_000


def resize(pixels: Pixels, size: PictureSize) -> Pixels:
    """What one model needs of a picture that was decoded for several.

    Args:
        pixels: RGB uint8 (height, width, 3).
        size: the same array comes back when it is this small already.
    """
    height, width, _ = pixels.shape
    target = reduced_size(width, height, [size])
    if target == (width, height):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(target, Image.Resampling.BICUBIC))


def encode_jpeg(pixels: Pixels | Image.Image, quality: int = 85) -> bytes:
    """The bytes of a JPEG file.

    Args:
        pixels: RGB uint8 (height, width, 3), or an RGB picture of Pillow's.
        quality: libjpeg's, 1 to 95.
    """
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def thumbnail(
    source: bytes | memoryview | Pixels, side_px: int, *, max_pixels: int = DEFAULT_MAX_PIXELS
) -> Image.Image:
    """An RGB picture for people, which fits a square of this side; small ones stay as they are.

    Args:
        source: a file's bytes, or pixels as `decode` gave them.
        side_px: of the square.
        max_pixels: as for `decode`; pixels are past that check.

    Raises:
        RowError: as `decode` does, for a file.
    """
    size = PictureSize(long_side_px=side_px)
    if isinstance(source, np.ndarray):
        return Image.fromarray(resize(source, size))
    return Image.fromarray(decode(source, max_pixels=max_pixels, sizes=[size]).pixels)
