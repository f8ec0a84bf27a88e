"""ICC profiles: wide-gamut pictures become sRGB; a profile that says nothing, or nonsense, changes nothing."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from fakes.bad_images import encoded, picture, srgb_profile
from tuku.imaging import colour, decode

# Adobe RGB (1998), section 4.3.5.3 and its D50-adapted primaries, as in the ICC profile that Adobe publishes.
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
ADOBE_GAMMA = 563 / 256


def matrix_profile(primaries: tuple[tuple[float, float, float], ...], gamma: float) -> bytes:
    """A display profile of ICC version 2: three primaries (XYZ, D50) and one gamma."""
    tags = {b"wtpt": _xyz(0.9642, 1.0, 0.8249)}
    for name, primary in zip((b"r", b"g", b"b"), primaries, strict=True):
        tags[name + b"XYZ"] = _xyz(*primary)
        tags[name + b"TRC"] = b"curv\0\0\0\0" + struct.pack(">LHH", 1, round(gamma * 256), 0)
    tags[b"desc"] = b"desc\0\0\0\0" + struct.pack(">L", 5) + b"test\0" + bytes(79)
    tags[b"cprt"] = b"text\0\0\0\0free\0\0\0\0"
    at = 128 + 4 + 12 * len(tags)
    table, data = struct.pack(">L", len(tags)), b""
    for name, value in tags.items():
        table += name + struct.pack(">LL", at + len(data), len(value))
        data += value
    header = bytearray(128)
    header[:4] = struct.pack(">L", at + len(data))
    header[8:12] = b"\2\x10\0\0"
    header[12:24] = b"mntrRGB XYZ "
    header[36:40] = b"acsp"
    header[68:80] = struct.pack(">3l", *(round(value * 65_536) for value in (0.9642, 1.0, 0.8249)))
    return bytes(header) + table + data


def _xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3l", *(round(value * 65_536) for value in values))


def first_pixel(content: bytes) -> list[int]:
    return decode(content, max_pixels=10**6, sizes=[]).pixels[0, 0].tolist()


@pytest.mark.parametrize(
    ("adobe", "srgb"),
    [((219, 0, 0), (255, 0, 0)), ((144, 255, 60), (0, 255, 0)), ((127, 127, 127), (127, 127, 127))],
)
def test_adobe_rgb_becomes_srgb(adobe: tuple[int, int, int], srgb: tuple[int, int, int]) -> None:
    image = Image.new("RGB", (8, 8), adobe)
    profile = matrix_profile(ADOBE_RGB, ADOBE_GAMMA)
    assert np.allclose(first_pixel(encoded(image, "PNG", icc_profile=profile)), srgb, atol=4)
    assert first_pixel(encoded(image, "PNG")) == list(adobe)


def test_a_profile_of_srgb_costs_and_changes_nothing() -> None:
    image = picture()
    assert colour.to_srgb(image, srgb_profile()) is image


@pytest.mark.parametrize("profile", [b"", b"nonsense" * 50, bytes(colour._MAX_PROFILE_BYTES + 1)])
def test_a_broken_profile_is_ignored(profile: bytes) -> None:
    image = picture()
    assert colour.to_srgb(image, profile) is image


def test_a_profile_for_other_colours_is_ignored() -> None:
    inks = Image.new("CMYK", (4, 4))
    assert colour.to_srgb(inks, matrix_profile(ADOBE_RGB, ADOBE_GAMMA)) is inks
