"""Files that are traps, or that were cut: told by their own structure, without decoding them."""

from __future__ import annotations

import struct

import pytest

from fakes.bad_images import cut, encoded, odd_images, picture
from tuku.errors import RowError
from tuku.imaging.sniff import sniff
from tuku.imaging.structure import check_structure, is_whole

LIMIT = 10**6
SEVERAL = {"jpeg-with-several-pictures", "tiff-of-two-pages"}

# Of several pictures in a file the first may be whole when the others are cut.
WHOLE = {name: content for name, content in odd_images().items() if name not in SEVERAL}


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_is_whole_and_a_cut_one_is_not(name: str) -> None:
    content = WHOLE[name]
    image_format = sniff(content)
    check_structure(content, image_format, LIMIT)
    assert is_whole(content, image_format)
    assert not is_whole(cut(content, 60), image_format)
    assert not is_whole(cut(content, 90), image_format)


@pytest.mark.parametrize("lossless", [True, False])
def test_the_canvas_of_a_webp_is_read_before_it_is_allocated(lossless: bool) -> None:
    content = encoded(picture(), "WEBP", lossless=lossless)
    check_structure(content, "WEBP", 120 * 80)
    with pytest.raises(RowError, match="120 × 80 px"):
        check_structure(content, "WEBP", 120 * 80 - 1)


def test_a_png_with_one_flipped_bit_in_its_pixels_is_corrupt() -> None:
    content = encoded(picture(), "PNG")
    at = content.index(b"IDAT") + 1000
    with pytest.raises(RowError, match="checksum") as refused:
        check_structure(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :], "PNG", LIMIT)
    assert refused.value.code == "corrupt"


def test_a_text_with_a_wrong_checksum_harms_no_pixel() -> None:
    content = encoded(picture(), "PNG")
    text = struct.pack(">L", 3) + b"tEXtk\0v" + bytes(4)
    check_structure(content[:33] + text + content[33:], "PNG", LIMIT)


def test_a_directory_that_begins_behind_the_file_is_no_directory() -> None:
    content = b"II*\0\xff\xff\xff\x7f" + bytes(40)
    assert not is_whole(content, "TIFF")
    check_structure(content, "TIFF", LIMIT)  # left for Pillow to refuse
