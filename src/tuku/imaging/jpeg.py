"""Whether a JPEG file is all there.

Pillow notices when the data stops. It does not notice when somebody closed a cut file with an end marker: libjpeg
then fills what is missing with mid-grey and only warns (JWRN_HIT_MARKER), which Pillow does not pass on.
"""

from __future__ import annotations

import io
import re

from PIL import Image, ImageChops

# A marker with a length: none of stuffing, TEM, fill bytes, RSTn and SOI (ITU T.81, table B.1).
_SEGMENT = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd8]")
_START_OF_SCAN = b"\xff\xda"
_END_OF_IMAGE = b"\xff\xd9"

# What libjpeg leaves where no data came, by mode.
_PADDING = {"L": 128, "RGB": (128, 128, 128)}

# Bits that any Huffman table makes something of. No marker is among them.
_MORE_DATA = bytes(range(1, 255)) * 2


def is_whole_jpeg(content: bytes) -> bool:
    """Whether an end marker follows the first scan; a preview inside the EXIF data has one of its own."""
    scan = _first_scan(content)
    return scan >= 0 and content.rfind(_END_OF_IMAGE, scan) >= 0


def is_padded_jpeg(image: Image.Image, content: bytes, target: tuple[int, int]) -> bool:
    """Whether the end marker came before the last pixel, in a baseline file (a progressive one is only blurred).

    A picture that ends in the very grey of the padding is decoded once more with some data put before the end
    marker. If all pixels were there, a decoder skips that; if not, it takes it for pixels.

    Args:
        image: as loaded.
        content: its file.
        target: as it was given to `Image.draft`.
    """
    width, height = image.size
    if image.getpixel((width - 1, height - 1)) != _PADDING.get(image.mode):
        return False
    end = content.find(_END_OF_IMAGE, _first_scan(content))
    with Image.open(io.BytesIO(content[:end] + _MORE_DATA + content[end:]), formats=("JPEG",)) as longer:
        longer.draft(None, target)
        return ImageChops.difference(longer, image).getbbox() is not None


def _first_scan(content: bytes) -> int:
    segment = _SEGMENT.search(content, 2)
    while segment and segment[0] != _START_OF_SCAN:
        length = int.from_bytes(content[segment.end() : segment.end() + 2], "big")
        segment = _SEGMENT.search(content, segment.end() + length)
    return segment.start() if segment else -1
