"""What a file's own structure says, before and after a decoder has seen it.

Decoders say that a file is broken, but not whether it was cut short or damaged, and some show what
they could read. The file's lengths and checksums know better.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator

from tuku.errors import RowError
from tuku.imaging.jpeg import is_whole_jpeg
from tuku.imaging.sizes import check_size
from tuku.imaging.tiff import check_tiff, is_whole_tiff

_PNG_SIGNATURE_BYTES = 8
_PNG_CHUNK_EXTRA_BYTES = 12  # length, type, checksum
_WEBP_CANVAS_END = 30


def check_structure(content: bytes, image_format: str, max_pixels: int) -> None:
    """Refuse what the decoder would not, or only after it has taken the memory.

    Args:
        content: the file.
        image_format: as `sniff` named it.
        max_pixels: as for `decode`.

    Raises:
        RowError: ``truncated``, ``corrupt``, ``too_many_pixels``.
    """
    if image_format in ("JPEG", "PNG", "WEBP", "AVIF") and not is_whole(content, image_format):
        raise truncated(image_format)
    if image_format == "PNG":
        width, height = (int.from_bytes(content[start : start + 4], "big") for start in (16, 20))
        check_size(width, height, max_pixels)
        _check_png_checksums(content)
    elif image_format == "WEBP":
        _check_webp_canvas(content, max_pixels)
    elif image_format == "TIFF":
        check_tiff(content, max_pixels)


def is_whole(content: bytes, image_format: str) -> bool:
    """Whether the file reaches as far as its own structure says."""
    return _IS_WHOLE[image_format](content)


def truncated(image_format: str) -> RowError:
    """The row's outcome for a file that is not whole."""
    return RowError("truncated", f"the {image_format} file ends too early")


def _check_png_checksums(content: bytes) -> None:
    """Pillow skips the checksums of the pixels: a flipped bit would pass as noise."""
    view = memoryview(content)
    for start, end in _png_chunks(content):
        critical = not view[start + 4] & 0x20
        (expected,) = struct.unpack_from(">L", view, end - 4)
        if critical and zlib.crc32(view[start + 4 : end - 4]) != expected:
            kind = bytes(view[start + 4 : start + 8])
            raise RowError("corrupt", f"the PNG chunk {kind!r} has a wrong checksum")


def _check_webp_canvas(content: bytes, max_pixels: int) -> None:
    """Pillow opens every WEBP with libwebp's animation decoder, which at once takes the canvas's memory."""
    if content[12:16] == b"VP8X" and len(content) >= _WEBP_CANVAS_END:
        width = int.from_bytes(content[24:27], "little") + 1
        height = int.from_bytes(content[27:30], "little") + 1
        check_size(width, height, max_pixels)
    elif content[12:16] == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        check_size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, max_pixels)
    elif content[12:16] == b"VP8 ":
        width, height = (int.from_bytes(content[start : start + 2], "little") & 0x3FFF for start in (26, 28))
        check_size(width, height, max_pixels)


def _png_chunks(content: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of each chunk, up to and with IEND; without IEND the last one ends after the file."""
    start = _PNG_SIGNATURE_BYTES
    while True:
        length = int.from_bytes(content[start : start + 4], "big")
        end = start + _PNG_CHUNK_EXTRA_BYTES + length
        kind = content[start + 4 : start + 8]
        if end <= len(content) and not kind.isalpha():
            raise RowError("corrupt", "the PNG file has other bytes where a chunk should begin")
        yield start, end
        if end > len(content) or kind == b"IEND":
            return
        start = end


def _is_whole_png(content: bytes) -> bool:
    return all(end <= len(content) for _, end in _png_chunks(content))


def _is_whole_gif(content: bytes) -> bool:
    return content[-64:].rstrip(b"\0").endswith(b";")


def _is_whole_webp(content: bytes) -> bool:
    return int.from_bytes(content[4:8], "little") + 8 <= len(content)


def _is_whole_bmp(content: bytes) -> bool:
    return int.from_bytes(content[2:6], "little") <= len(content)


def _is_whole_avif(content: bytes) -> bool:
    at = 0
    while at + 8 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        if length == 0:  # this box reaches to the end
            return True
        if length == 1:  # a 64-bit length follows
            length = int.from_bytes(content[at + 8 : at + 16], "big")
        at += max(length, 8)
    return at == len(content)


_IS_WHOLE: dict[str, Callable[[bytes], bool]] = {
    "PNG": _is_whole_png,
    "JPEG": is_whole_jpeg,
    "GIF": _is_whole_gif,
    "WEBP": _is_whole_webp,
    "BMP": _is_whole_bmp,
    "TIFF": is_whole_tiff,
    "AVIF": _is_whole_avif,
}
