"""A file's bytes to pixels: no more is decoded than the models need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from PIL import Image

from tuku.imaging.convert import to_rgb
from tuku.imaging.opened import OpenedImage, with_opened
from tuku.imaging.sizes import near_size, reduced_size
from tuku.protocols import PictureSize, Pixels

_SIDEWAYS = (5, 6, 7, 8)


@dataclass(frozen=True)
class Decoded:
    """A picture as the models get it, and what it was.

    Attributes:
        pixels: RGB uint8 (height, width, 3), upright, sRGB, reduced; read-only.
        width: of the whole picture as it is seen (EXIF applied), px.
        height: likewise.
        format: JPEG (also for several pictures in one file), PNG, WEBP, GIF, BMP, TIFF or AVIF.
    """

    pixels: Pixels = field(repr=False)
    width: int
    height: int
    format: str


def decode(content: bytes | memoryview, *, max_pixels: int, sizes: Sequence[PictureSize]) -> Decoded:
    """Decode a picture at the largest of the wanted sizes.

    A short side of 256 px wanted gives exactly 256 px, unless the picture is smaller, or not `PictureSize.exact`: then
    up to 512 px. JPEG is decoded at 1/2, 1/4 or 1/8 where that is still as large as wanted. Of an animation the first
    frame is taken; transparent parts become white; 16-bit values are scaled, 32-bit ones stretched between their least
    and greatest.

    Not noticed: damage inside a JPEG's pixel data (it has no checksum), and a progressive JPEG that was cut
    short and closed again with an end marker, which is whole but less sharp.

    Args:
        content: the whole file.
        max_pixels: width × height above which the picture is refused by its header.
        sizes: what each model needs; the picture serves them all. None at all: full size.

    Raises:
        RowError: ``empty``, ``not_an_image``, ``unsupported_format``, ``too_small``, ``too_many_pixels``,
            ``truncated``, ``corrupt``, ``out_of_memory``.
    """
    return with_opened(content, max_pixels, partial(decode_opened, sizes=sizes))


def decode_opened(
    file: OpenedImage, sizes: Sequence[PictureSize], resampling: Image.Resampling = Image.Resampling.BICUBIC
) -> Decoded:
    """See `decode`; for use within `with_opened`. With Pillow's filter for those that like another better."""
    width, height = file.image.size
    target = reduced_size(width, height, sizes)
    file.load(target)
    orientation = file.orientation()
    pixels = to_rgb(file.image, near_size(file.image.size, target, sizes), orientation, resampling)
    if orientation in _SIDEWAYS:
        width, height = height, width
    return Decoded(pixels, width, height, file.format)
