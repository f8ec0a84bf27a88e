"""A JPEG file's segments: whether it is all there, and the picture without what else is in the file.

Pillow notices when the data stops. It does not notice when somebody closed a cut file with an end marker: libjpeg
then fills what is missing with mid-grey and only warns (JWRN_HIT_MARKER), which Pillow does not pass on.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageChops

# ITU T.81, table B.1. A marker with a length: none of stuffing, TEM, fill bytes, RSTn and SOI.
_SEGMENT = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd8]")
_START_OF_IMAGE, _END_OF_IMAGE = b"\xff\xd8", b"\xff\xd9"
_START_OF_SCAN, _END = 0xDA, 0xD9

# What a decoder needs: frames that are baseline, extended or progressive with Huffman codes (few decoders know others),
# tables, restart intervals, and what says how colours are meant: APP0 (JFIF) and APP14 (Adobe).
_NEEDED = {0xC0, 0xC1, 0xC2, 0xC4, _START_OF_SCAN, 0xDB, 0xDD, 0xE0, 0xEE}

# What programs put beside it, such as who took the picture and where: the other APPn, and comments.
_BESIDE = {*range(0xE0, 0xF0), 0xFE} - _NEEDED

# What libjpeg leaves where no data came, by mode.
_PADDING = {"L": 128, "RGB": (128, 128, 128)}

# Bits that any Huffman table makes something of. No marker is among them.
_MORE_DATA = bytes(range(1, 255)) * 2


@dataclass(frozen=True)
class _Segment:
    marker: int
    start: int  # of the marker
    end: int  # of its parameters; the data of a scan follow


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


def bare_jpeg(content: bytes) -> bytes | None:
    """The file with its first picture alone, bit for bit: without metadata, previews and further pictures.

    None for a file that is not put together as usual, which is left for a decoder to judge.
    """
    parts, at, scanned = [_START_OF_IMAGE], len(_START_OF_IMAGE), False
    for segment in _segments(content):
        if scanned:
            parts.append(content[at : segment.start])  # a scan's data
            if segment.marker == _END:
                return b"".join([*parts, _END_OF_IMAGE])
        elif segment.start != at:
            return None
        if segment.marker in _NEEDED:
            parts.append(content[segment.start : segment.end])
        elif scanned or segment.marker not in _BESIDE:
            return None
        scanned |= segment.marker == _START_OF_SCAN
        at = segment.end
    return None


def _first_scan(content: bytes) -> int:
    return next((segment.start for segment in _segments(content) if segment.marker == _START_OF_SCAN), -1)


def _segments(content: bytes) -> Iterator[_Segment]:
    at = len(_START_OF_IMAGE)
    while found := _SEGMENT.search(content, at):
        at = found.end() + int.from_bytes(content[found.end() : found.end() + 2], "big")
        yield _Segment(content[found.end() - 1], found.start(), at)
