"""Formats by their first bytes."""

from __future__ import annotations

import pytest

from fakes.bad_images import bad_images, boxes, encoded, picture
from tuku.errors import RowError
from tuku.imaging.sniff import sniff

TAKEN = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")


@pytest.mark.parametrize("image_format", TAKEN)
def test_a_format_that_is_taken_is_named_as_pillow_names_it(image_format: str) -> None:
    content = encoded(picture(), image_format)
    assert sniff(content) == image_format


def test_an_avif_may_hide_behind_a_general_brand() -> None:
    content = b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf"
    assert sniff(content) == "AVIF"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("heic", "HEIC"),
        ("svg", "SVG"),
        ("pdf", "PDF"),
        ("psd", "Photoshop"),
        ("jpeg-xl", "JPEG XL"),
        ("mp4", "video"),
        ("html-page", "HTML page"),
        ("html-page-with-svg", "HTML page"),
        ("json", "JSON"),
        ("xml", "XML"),
        ("text", "text"),
        ("random-bytes", "unknown bytes"),
    ],
)
def test_the_message_says_what_the_file_is(name: str, words: str) -> None:
    content, code = bad_images()[name]
    with pytest.raises(RowError) as refused:
        sniff(content)
    assert refused.value.code == code
    assert words in refused.value.message


def test_a_raw_picture_is_not_taken_for_the_tiff_that_it_is_inside() -> None:
    with pytest.raises(RowError, match="Canon"):
        sniff(b"II*\0\x10\0\0\0CR\x02\0" + bytes(100))


def test_brands_are_read_from_their_own_box_alone() -> None:
    with pytest.raises(RowError, match="HEIC"):
        sniff(boxes(b"heic") + b"avif" * 10)
