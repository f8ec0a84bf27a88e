"""Pictures that only services look at: they travel as JPEGs, a tenth of the bytes, and are coded once at most."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from PIL import Image

from tuku.imaging.colour import is_srgb
from tuku.imaging.decode import decode_opened
from tuku.imaging.jpeg import bare_jpeg
from tuku.imaging.opened import OpenedImage, with_opened
from tuku.imaging.resize import encode_jpeg
from tuku.imaging.sizes import reduced_size
from tuku.protocols import Picture, PictureSize, Pixels

_UPRIGHT = 1  # EXIF's orientation

# A JPEG with more bytes was coded more finely than our own, which have a quarter of a byte for each pixel.
_MOST_BYTES_PER_PIXEL = 0.5

# For two thirds of the time of a bicubic filter: 48 dB from its pixels; coding moves them by 37 dB anyhow.
_RESAMPLING = Image.Resampling.HAMMING


@dataclass(frozen=True)
class Coded:
    """A picture as services get it, and what it was.

    Attributes:
        jpeg: a JPEG file, upright, sRGB, reduced, without metadata.
        size: its width and height, px.
        width: as for `Decoded`, like `height` and `format`.
    """

    jpeg: bytes = field(repr=False)
    size: tuple[int, int]
    width: int
    height: int
    format: str


class CodedPicture(Picture):
    """A picture that has been coded; whoever asks for its pixels has it decoded.

    Args:
        jpeg: as in `Coded`.
        size: likewise.
        content_sha256: as for every picture.
    """

    jpeg: bytes | memoryview
    size: tuple[int, int]

    def __init__(self, jpeg: bytes | memoryview, size: tuple[int, int], content_sha256: str) -> None:
        vars(self).update(jpeg=jpeg, size=size, content_sha256=content_sha256)  # it is frozen, as all pictures are

    @property
    def pixels(self) -> Pixels:
        """As for every picture; decoded each time."""
        with Image.open(io.BytesIO(self.jpeg), formats=("JPEG",)) as image:
            return np.asarray(image)


def code(content: bytes | memoryview, *, max_pixels: int, sizes: Sequence[PictureSize]) -> Coded:
    """What services get of a file. A JPEG that is small enough goes as it is: nothing is sharper, or cheaper.

    Args:
        content: as for `decode`, like the rest.
        max_pixels: likewise.
        sizes: likewise.

    Raises:
        RowError: as `decode` does.
    """
    return with_opened(content, max_pixels, partial(_code, sizes=sizes))


def _code(file: OpenedImage, sizes: Sequence[PictureSize]) -> Coded:
    size = file.image.size
    if size == reduced_size(*size, sizes):
        jpeg = _as_it_is(file)
        if jpeg is not None:
            return Coded(jpeg, size, *size, file.format)
    decoded = decode_opened(file, sizes, _RESAMPLING)
    height, width, _ = decoded.pixels.shape
    return Coded(encode_jpeg(decoded.pixels), (width, height), decoded.width, decoded.height, decoded.format)


def _as_it_is(file: OpenedImage) -> bytes | None:
    """The file less its metadata, if that is the picture that decoding and coding would give."""
    image = file.image
    if file.format != "JPEG" or image.mode != "RGB" or not is_srgb(image, image.info.get("icc_profile")):
        return None
    jpeg = bare_jpeg(file.content)
    if jpeg is None or len(jpeg) > _MOST_BYTES_PER_PIXEL * image.width * image.height:
        return None
    if file.orientation() != _UPRIGHT:
        return None
    with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as bare:
        OpenedImage(jpeg, file.format, bare).load((1, 1))  # at 1/8: all of its data are read, few pixels are made
    return jpeg
