"""What services get of a file: when it goes as it is, what is left out of it, and that all of it is there."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from fakes.bad_images import HEIGHT, MAX_PIXELS, WIDTH, bad_images, cut, encoded, odd_images, picture
from tuku.errors import RowError
from tuku.imaging import Coded, CodedPicture, code, decode
from tuku.protocols import PictureSize

# Pytest undoes the filter that `tuku.imaging` sets.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")

BAD, ODD = bad_images(), odd_images()
ENOUGH = PictureSize(long_side_px=max(WIDTH, HEIGHT))
PLAIN = {"quality": 60}
SECRET = b"taken at 39.9N 116.4E"


def coded(content: bytes, size: PictureSize = ENOUGH) -> Coded:
    return code(content, max_pixels=MAX_PIXELS, sizes=[size])


def shown(jpeg: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
        assert image.mode == "RGB"
        return np.asarray(image)


def jpeg(image: Image.Image | None = None, **options: Any) -> bytes:
    return encoded(image or picture(), "JPEG", **(PLAIN | options))


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112], tags[0x010E] = orientation, SECRET.decode()
    return tags


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_blocks": 1}])
def test_a_small_jpeg_goes_as_it_is(options: dict[str, Any]) -> None:
    content = jpeg(**options)
    sent = coded(content)
    assert sent.jpeg == content
    assert sent.size == (sent.width, sent.height) == (WIDTH, HEIGHT)
    assert sent.format == "JPEG"


@pytest.mark.parametrize("progressive", [False, True])
def test_what_stands_beside_the_picture_stays_here(progressive: bool) -> None:
    bare = jpeg(progressive=progressive)
    preview = jpeg(picture(30, 20))
    content = jpeg(progressive=progressive, exif=exif(1), comment=SECRET, xmp=SECRET) + preview + SECRET
    assert content.count(SECRET) == 4
    assert coded(content).jpeg == bare


def test_a_large_jpeg_is_reduced() -> None:
    sent = coded(jpeg(exif=exif(1)), PictureSize(long_side_px=60))
    assert sent.size == (60, 40)
    assert (sent.width, sent.height) == (WIDTH, HEIGHT)
    assert shown(sent.jpeg).shape == (40, 60, 3)
    assert SECRET not in sent.jpeg


def _wide() -> bytes:
    """A profile whose red and blue have changed places: nothing but its matrix says so."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


@pytest.mark.parametrize(
    "content",
    [
        jpeg(quality=100, subsampling=0),  # more bytes than it is worth
        jpeg(exif=exif(6)),
        jpeg(icc_profile=_wide()),
        jpeg(picture().convert("L")),
        jpeg(picture().convert("CMYK")),
        encoded(picture(), "PNG"),
    ],
    ids=["fine", "turned", "wide-gamut", "grey", "cmyk", "png"],
)
def test_what_needs_work_is_coded_as_it_is_decoded(content: bytes) -> None:
    sent = coded(content)
    assert sent.jpeg != content
    pixels = decode(content, max_pixels=MAX_PIXELS, sizes=[ENOUGH]).pixels
    difference = shown(sent.jpeg).astype(float) - pixels
    assert 10 * np.log10(255**2 / (difference**2).mean()) > 20  # it is noise that is coded here
    assert SECRET not in sent.jpeg


def test_a_profile_that_says_srgb_is_left_out() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert coded(jpeg(icc_profile=profile)).jpeg == jpeg()


def test_a_variant_that_few_can_decode_is_coded_anew() -> None:
    content = jpeg()
    frame = content.index(b"\xff\xc0")
    arithmetic = content[:frame] + b"\xff\xc9" + content[frame + 2 :]  # libjpeg makes some picture of any data
    assert coded(arithmetic).jpeg[frame:].startswith(b"\xff\xc0")


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_fails_as_it_does_when_decoded(name: str) -> None:
    content, expected = BAD[name]
    with pytest.raises(RowError) as refused:
        coded(content, PictureSize())
    assert refused.value.code == expected


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_can_be_sent(name: str) -> None:
    sent = coded(ODD[name], PictureSize())
    assert shown(sent.jpeg).shape[1::-1] == sent.size


@pytest.mark.parametrize("closed", [b"", b"\xff\xd9"])
@pytest.mark.parametrize("percent", range(30, 100, 5))
def test_half_a_picture_never_goes_as_it_is(percent: int, closed: bytes) -> None:
    with pytest.raises(RowError) as refused:
        coded(cut(jpeg(), percent) + closed)
    assert refused.value.code in {"truncated", "not_an_image"}


def test_a_coded_picture_still_has_pixels() -> None:
    content = jpeg()
    sent = CodedPicture(memoryview(content), (WIDTH, HEIGHT), "a")
    assert np.array_equal(sent.pixels, shown(content))
    assert repr(sent) == repr(CodedPicture(b"", (1, 1), "a"))
