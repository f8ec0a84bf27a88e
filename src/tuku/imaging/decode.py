"""A file's bytes to pixels: the header is judged first, then no more is decoded than the models need."""

from __future__ import annotations

import io
import logging
import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageFile

from tuku.errors import RowError
from tuku.imaging.convert import to_rgb
from tuku.imaging.jpeg import is_padded_jpeg
from tuku.imaging.sizes import check_size, reduced_size
from tuku.imaging.sniff import sniff
from tuku.imaging.structure import check_structure, is_whole, truncated
from tuku.protocols import PictureSize, Pixels

# Set once, on import, for the whole process. Pillow's guess at what is a bomb gives way to `max_pixels`,
# which the header is held against before any pixel is decoded; and half a picture is never let pass.
Image.MAX_IMAGE_PIXELS = None
ImageFile.LOAD_TRUNCATED_IMAGES = False

# What Pillow has to say of a file becomes the row's outcome, not a line on the screen.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").setLevel(logging.CRITICAL)

_ORIENTATION_TAG = 0x0112
_SIDEWAYS = (5, 6, 7, 8)

# What Pillow is known to raise on EXIF data that is broken; the picture itself may be perfect.
_EXIF_ERRORS = (OSError, SyntaxError, struct.error, ValueError, TypeError, LookupError, ArithmeticError)


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

    A short side of 256 px wanted gives exactly 256 px, unless the picture is smaller. JPEG is decoded at 1/2,
    1/4 or 1/8 where that is still as large as wanted. Of an animation the first frame is taken; transparent
    parts become white; 16-bit values are scaled, 32-bit ones stretched between their least and greatest.

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
    content = bytes(content)  # the one copy: none for bytes, and BytesIO shares it
    image_format = sniff(content)
    check_structure(content, image_format, max_pixels)
    try:
        return _decode(io.BytesIO(content), image_format, max_pixels, sizes)
    except RowError:
        raise
    except Exception as error:
        # Parsers of hostile data raise anything; what it was is told by type and file, never by message.
        raise _classified(error, content, image_format) from error


def _decode(file: io.BytesIO, image_format: str, max_pixels: int, sizes: Sequence[PictureSize]) -> Decoded:
    with Image.open(file, formats=(image_format,)) as image:
        width, height = image.size
        check_size(width, height, max_pixels)
        target = reduced_size(width, height, sizes)
        image.draft(None, target)
        image.load()
        if image_format == "JPEG" and is_padded_jpeg(image, file.getvalue(), target):
            raise truncated(image_format)
        # Only now: PNG may keep it behind the pixels, and TIFF has turned itself on loading.
        orientation = _orientation(image)
        pixels = to_rgb(image, target, orientation)
    if orientation in _SIDEWAYS:
        width, height = height, width
    return Decoded(pixels, width, height, image_format)


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except _EXIF_ERRORS:
        return 1
    return value if isinstance(value, int) else 1


def _classified(error: Exception, content: bytes, image_format: str) -> RowError:
    if isinstance(error, MemoryError):
        return RowError("out_of_memory", f"no memory left for this {image_format} picture", retryable=True)
    if isinstance(error, Image.DecompressionBombError):
        return RowError("too_many_pixels", f"the {image_format} picture is too large for Pillow")
    if isinstance(error, NotImplementedError):
        return RowError("unsupported_format", f"a kind of {image_format} that Pillow cannot decode")
    if not is_whole(content, image_format):
        return truncated(image_format)
    return RowError("corrupt", f"the {image_format} file is damaged, or of a kind that Pillow cannot decode")
