"""Colours: every way of storing them ends as the RGB that a person would see."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from fakes.bad_images import encoded, png, ycck
from tuku.errors import RowError
from tuku.imaging import decode
from tuku.imaging.convert import to_rgb
from tuku.protocols import PictureSize

SIDE = 16


def first_pixel(image: Image.Image, image_format: str = "PNG", **options: object) -> tuple[int, ...]:
    return colour(encoded(image, image_format, **options))


def colour(content: bytes) -> tuple[int, ...]:
    return tuple(int(value) for value in decode(content, max_pixels=10**6, sizes=[]).pixels[0, 0])


def plain(mode: str, value: object) -> Image.Image:
    return Image.new(mode, (SIDE, SIDE), value)


def grey(values: object, dtype: type) -> Image.Image:
    return Image.fromarray(np.array(values, dtype=dtype))


def test_transparent_parts_are_white() -> None:
    assert first_pixel(plain("RGBA", (200, 0, 0, 0))) == (255, 255, 255)
    assert first_pixel(plain("LA", (0, 0))) == (255, 255, 255)
    assert first_pixel(plain("RGBA", (255, 0, 0, 128))) == (255, 127, 127)


def test_a_transparent_colour_is_white_and_the_others_stay() -> None:
    palette = plain("P", 0)
    palette.putpalette([10, 20, 30, 40, 50, 60])
    assert first_pixel(palette) == (10, 20, 30)
    assert first_pixel(palette, transparency=0) == (255, 255, 255)
    assert first_pixel(palette, transparency=1) == (10, 20, 30)
    assert first_pixel(plain("RGB", (1, 2, 3)), transparency=(1, 2, 3)) == (255, 255, 255)
    assert first_pixel(plain("L", 7), transparency=7) == (255, 255, 255)


def test_hidden_colours_do_not_bleed_into_a_reduced_picture() -> None:
    image = plain("RGBA", (255, 0, 0, 0)).resize((64, 64))
    image.paste((0, 0, 255, 255), (0, 0, 32, 64))
    pixels = decode(encoded(image, "PNG"), max_pixels=10**6, sizes=[PictureSize(short_side_px=9)]).pixels
    assert (pixels[..., 2] >= 250).all()  # blue, or white: nowhere the red that is not seen


def test_bits_become_black_and_white() -> None:
    assert first_pixel(plain("1", 1)) == (255, 255, 255)
    assert first_pixel(plain("1", 0)) == (0, 0, 0)


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
@pytest.mark.parametrize(("value", "expected"), [(0, 0), (40_000, 156), (65_535, 255)])
def test_16_bits_are_scaled_not_clipped(image_format: str, value: int, expected: int) -> None:
    image = grey([[value] * SIDE] * SIDE, np.uint16)
    assert first_pixel(image, image_format) == (expected,) * 3


def test_16_bits_of_each_colour_are_scaled_too() -> None:
    line = b"\0" + (65_535).to_bytes(2, "big") + (40_000).to_bytes(2, "big") + bytes(2)
    assert colour(png(1, 1, line, bits=16, colour=2)) == (255, 156, 0)


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([-5, 0, 5], np.int32, [0, 128, 255]),
        ([0.0, 0.5, 1.0], np.float32, [0, 128, 255]),
        ([np.nan, 2.0, 4.0], np.float32, [0, 0, 255]),
        ([np.nan, np.inf, -np.inf], np.float32, [0, 0, 0]),
        ([7.0, 7.0, 7.0], np.float32, [0, 0, 0]),
    ],
)
def test_32_bits_are_stretched_between_their_ends(values: list[float], dtype: type, expected: list[int]) -> None:
    content = encoded(grey([values], dtype), "TIFF")
    pixels = decode(content, max_pixels=10**6, sizes=[]).pixels
    assert pixels[0].tolist() == [[value] * 3 for value in expected]


def test_printing_inks_become_light() -> None:
    red = plain("CMYK", (0, 255, 255, 0))
    assert first_pixel(red, "TIFF") == (255, 0, 0)
    assert np.allclose(first_pixel(red, "JPEG", quality=100), (255, 0, 0), atol=3)  # stored inverted, as Adobe does


def test_ycck_becomes_light() -> None:
    # Stored are Y = 200, Cb = Cr = 128 (neutral), K = 255 (none), all inverted: inks of 200, and so light of 55.
    assert np.allclose(colour(ycck(plain("CMYK", (55, 127, 127, 0)))), (55, 55, 55), atol=3)


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_taken(image_format: str) -> None:
    frames = [plain("RGB", value) for value in ((0, 250, 0), (250, 0, 0))]
    first = first_pixel(frames[0], image_format, save_all=True, append_images=frames[1:])
    assert np.allclose(first, (0, 250, 0), atol=8)


def test_a_colour_model_without_rgb_is_refused() -> None:
    with pytest.raises(RowError, match="LAB") as refused:
        to_rgb(plain("LAB", (50, 0, 0)), (SIDE, SIDE), 1)
    assert refused.value.code == "unsupported_format"
