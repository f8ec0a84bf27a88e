"""The first directory of a TIFF file, read without trusting it.

Pillow and libtiff read it again; this is for what they do not check: that the file is not made to use up the
memory, and whether it was cut short. Layout: TIFF 6.0, section 2, and
https://www.awaresystems.be/imaging/tiff/bigtiff.html
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tuku.errors import RowError
from tuku.imaging.sizes import check_size

_TILE_WIDTH, _TILE_LENGTH = 322, 323
_OFFSETS, _BYTE_COUNTS = (273, 324), (279, 325)
_TYPE_BYTES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_INTEGERS = {1: "B", 3: "H", 4: "L", 16: "Q"}

# Pillow keeps some hundred bytes for each strip or tile; 100 megapixels in tiles of 16 × 16 px have 390,625.
_MAX_STRIPS = 500_000
_MAX_ENTRIES = 65_535


@dataclass(frozen=True)
class _Entry:
    kind: int
    count: int
    start: int  # where its values lie in the file
    end: int


def check_tiff(content: bytes, max_pixels: int) -> None:
    """Refuse a file whose tiles or strips are a trap; what is merely wrong is left for Pillow to find.

    Raises:
        RowError: ``too_many_pixels``, ``corrupt``.
    """
    order, entries = _directory(content)
    tile = [_integers(content, order, entries.get(tag)) for tag in (_TILE_WIDTH, _TILE_LENGTH)]
    if all(tile):
        check_size(tile[0][0], tile[1][0], max_pixels)
    strips = max((entries[tag].count for tag in _OFFSETS if tag in entries), default=0)
    if strips > _MAX_STRIPS:
        raise RowError("corrupt", f"the TIFF file has {strips} strips or tiles; {_MAX_STRIPS} are allowed")
    inside = sum(entry.end - entry.start for entry in entries.values() if entry.end <= len(content))
    if inside > len(content):  # many tags that share their values, each of which would be copied
        raise RowError("corrupt", "the TIFF file has more tags than it can hold")


def is_whole_tiff(content: bytes) -> bool:
    """Whether everything that the first directory points to lies inside the file."""
    order, entries = _directory(content)
    if not entries or any(entry.end > len(content) for entry in entries.values()):
        return False
    starts = [start for tag in _OFFSETS for start in _integers(content, order, entries.get(tag))]
    lengths = [length for tag in _BYTE_COUNTS for length in _integers(content, order, entries.get(tag))]
    return all(start + length <= len(content) for start, length in zip(starts, lengths, strict=False))


def _directory(content: bytes) -> tuple[str, dict[int, _Entry]]:
    """Byte order, and each tag's entry; no entries when the directory itself is not in the file."""
    order = "<" if content[:1] == b"I" else ">"
    big = content[2:4] in (b"+\0", b"\0+")
    head, count_format, entry_format = ("Q", "Q", "HHQ") if big else ("L", "H", "HHL")
    inline = 8 if big else 4
    entry_bytes = struct.calcsize(order + entry_format) + inline
    entries: dict[int, _Entry] = {}
    try:
        (start,) = struct.unpack_from(order + head, content, 8 if big else 4)
        (count,) = struct.unpack_from(order + count_format, content, start)
        start += struct.calcsize(order + count_format)
        for number in range(min(count, _MAX_ENTRIES)):
            at = start + number * entry_bytes
            tag, kind, length = struct.unpack_from(order + entry_format, content, at)
            values = at + entry_bytes - inline
            size = length * _TYPE_BYTES.get(kind, 0)
            if size > inline:
                (values,) = struct.unpack_from(order + head, content, values)
            entries.setdefault(tag, _Entry(kind, length, values, values + size))
    except (struct.error, OverflowError):
        return order, {}
    return order, entries


def _integers(content: bytes, order: str, entry: _Entry | None) -> tuple[int, ...]:
    if entry is None or entry.kind not in _INTEGERS or entry.end > len(content):
        return ()
    return struct.unpack_from(f"{order}{entry.count}{_INTEGERS[entry.kind]}", content, entry.start)
