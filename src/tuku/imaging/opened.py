"""An image file in Pillow's hands: its header is judged first, and whatever is wrong with it ends as a `RowError`."""

from __future__ import annotations

import io
import logging
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from PIL import Image, ImageFile

from tuku.errors import RowError
from tuku.imaging.jpeg import is_padded_jpeg
from tuku.imaging.sizes import check_size
from tuku.imaging.sniff import sniff
from tuku.imaging.structure import check_structure, is_whole, truncated

# Set once, on import, for the whole process. Pillow's guess at what is a bomb gives way to `max_pixels`,
# which the header is held against before any pixel is decoded; and half a picture is never let pass.
Image.MAX_IMAGE_PIXELS = None
ImageFile.LOAD_TRUNCATED_IMAGES = False

# What Pillow has to say of a file becomes the row's outcome, not a line on the screen.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").setLevel(logging.CRITICAL)

_ORIENTATION_TAG = 0x0112

# What Pillow is known to raise on EXIF data that is broken; the picture itself may be perfect.
_EXIF_ERRORS = (OSError, SyntaxError, struct.error, ValueError, TypeError, LookupError, ArithmeticError)

T = TypeVar("T")


@dataclass(frozen=True)
class OpenedImage:
    """A file whose header has been read.

    Attributes:
        content: the whole file.
        format: as `sniff` named it; Pillow calls some JPEGs MPO.
        image: Pillow's; its pixels are not loaded yet.
    """

    content: bytes = field(repr=False)
    format: str
    image: Image.Image

    def load(self, target: tuple[int, int]) -> None:
        """Decode it to its end; a JPEG at 1/2, 1/4 or 1/8 where that is no smaller than `target` (width, height; px).

        Raises:
            RowError: ``truncated``; Pillow raises what it likes for whatever else is wrong.
        """
        self.image.draft(None, target)
        self.image.load()
        if self.format == "JPEG" and is_padded_jpeg(self.image, self.content, target):
            raise truncated(self.format)

    def orientation(self) -> int:
        """EXIF's, 1 to 8. PNG may keep it behind the pixels, and TIFF turns itself on loading: ask when loaded."""
        try:
            value = self.image.getexif().get(_ORIENTATION_TAG, 1)
        except _EXIF_ERRORS:
            return 1
        return value if isinstance(value, int) else 1


def with_opened(content: bytes | memoryview, max_pixels: int, work: Callable[[OpenedImage], T]) -> T:
    """What `work` makes of a file.

    Args:
        content: the whole file.
        max_pixels: width × height above which the picture is refused by its header.
        work: whatever it raises is taken for a fault of the file.

    Raises:
        RowError: ``empty``, ``not_an_image``, ``unsupported_format``, ``too_small``, ``too_many_pixels``,
            ``truncated``, ``corrupt``, ``out_of_memory``.
    """
    content = bytes(content)  # the one copy: none for bytes, and BytesIO shares it
    image_format = sniff(content)
    check_structure(content, image_format, max_pixels)
    try:
        with Image.open(io.BytesIO(content), formats=(image_format,)) as image:
            width, height = image.size
            check_size(width, height, max_pixels)
            return work(OpenedImage(content, image_format, image))
    except RowError:
        raise
    except Exception as error:
        # Parsers of hostile data raise anything; what it was is told by type and file, never by message.
        raise _classified(error, content, image_format) from error


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
