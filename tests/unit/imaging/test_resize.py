"""Smaller pictures, and files of them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from fakes.bad_images import encoded, picture
from tuku.errors import RowError
from tuku.imaging import decode, encode_jpeg, resize, thumbnail
from tuku.protocols import PictureSize

PIXELS = np.asarray(picture(400, 300))


def test_a_picture_is_reduced_to_what_one_model_needs() -> None:
    assert resize(PIXELS, PictureSize(short_side_px=100)).shape == (100, 133, 3)
    assert resize(PIXELS, PictureSize(long_side_px=200)).shape == (150, 200, 3)


@pytest.mark.parametrize("size", [PictureSize(), PictureSize(short_side_px=300), PictureSize(long_side_px=999)])
def test_what_is_small_enough_comes_back_as_it_is(size: PictureSize) -> None:
    assert resize(PIXELS, size) is PIXELS


def test_a_jpeg_shows_the_picture() -> None:
    smooth = resize(PIXELS, PictureSize(long_side_px=20))
    again = decode(encode_jpeg(smooth, quality=95), max_pixels=10**6, sizes=[])
    assert again.format == "JPEG"
    assert np.abs(again.pixels.astype(int) - smooth).mean() < 6
    assert len(encode_jpeg(PIXELS, quality=30)) < len(encode_jpeg(PIXELS))


@pytest.mark.parametrize("source", [PIXELS, encoded(picture(400, 300), "PNG")], ids=["pixels", "file"])
def test_a_thumbnail_fits_its_square(source: bytes) -> None:
    small = thumbnail(source, 64)
    assert (small.mode, small.size) == ("RGB", (64, 48))
    assert Image.open(io.BytesIO(encode_jpeg(small))).size == (64, 48)


def test_a_thumbnail_of_a_bad_file_says_why_not() -> None:
    with pytest.raises(RowError, match="not_an_image"):
        thumbnail(b"<html>", 64)
    with pytest.raises(RowError, match="too_many_pixels"):
        thumbnail(encoded(picture(), "PNG"), 64, max_pixels=100)
