from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tuku.errors import RowError
from tuku.imaging import CodedPicture, encode_jpeg
from tuku.protocols import Picture, PictureSize
from tuku.providers.api.picture import EncodedPicture, PictureLimits, encode_picture

LIMITS = PictureLimits(max_bytes=10_000_000, min_side_px=10, max_aspect=200)
SIZE = PictureSize(long_side_px=64)


def noise(width: int, height: int, seed: int = 1) -> Picture:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Picture(pixels, f"{seed:064x}")


def opened(encoded: EncodedPicture) -> Image.Image:
    head, _, content = encoded.data_uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(content, validate=True)))


def encoded(picture: Picture, limits: PictureLimits = LIMITS) -> EncodedPicture:
    outcome = encode_picture(picture, SIZE, limits)
    assert isinstance(outcome, EncodedPicture)
    return outcome


def test_a_large_picture_is_reduced_and_a_small_one_is_not_enlarged() -> None:
    large, small = encoded(noise(200, 100)), encoded(noise(40, 20))
    assert (large.width, large.height) == opened(large).size == (64, 32)
    assert (small.width, small.height) == opened(small).size == (40, 20)
    assert opened(large).format == "JPEG"


def test_equal_pixels_give_equal_bytes() -> None:
    assert encoded(noise(50, 40)) == encoded(noise(50, 40))
    assert encoded(noise(50, 40)) != encoded(noise(50, 40, seed=2))


def test_a_picture_that_has_been_coded_goes_as_it_is() -> None:
    jpeg = encode_jpeg(noise(64, 32).pixels, quality=50)
    sent = encoded(CodedPicture(memoryview(jpeg), (64, 32), "a"))
    assert (sent.width, sent.height) == (64, 32)
    assert base64.b64decode(sent.data_uri.partition(",")[2]) == jpeg


@pytest.mark.parametrize(("side_px", "max_bytes"), [(32, 10_000_000), (64, 2_000)])
def test_a_coded_picture_that_is_too_large_is_coded_again(side_px: int, max_bytes: int) -> None:
    jpeg = encode_jpeg(noise(64, 32).pixels, quality=95)
    picture = CodedPicture(jpeg, (64, 32), "a")
    sent = encode_picture(picture, PictureSize(long_side_px=side_px), PictureLimits(max_bytes, 10, 200))
    assert isinstance(sent, EncodedPicture)
    assert (sent.width, sent.height) == opened(sent).size
    assert sent.width <= side_px
    assert len(sent.data_uri) <= max_bytes


def test_a_coded_picture_that_the_service_would_refuse_is_not_sent() -> None:
    outcome = encode_picture(CodedPicture(b"never read", (64, 5), "a"), SIZE, LIMITS)
    assert isinstance(outcome, RowError)
    assert outcome.code == "picture_too_small"


def test_the_picture_is_in_no_repr() -> None:
    assert "base64" not in repr(encoded(noise(20, 20)))


@pytest.mark.parametrize(
    ("size", "code"),
    [((9, 30), "picture_too_small"), ((2010, 10), "picture_too_narrow"), ((10, 2010), "picture_too_narrow")],
)
def test_a_picture_that_the_service_would_refuse_is_not_sent(size: tuple[int, int], code: str) -> None:
    outcome = encode_picture(noise(*size), PictureSize(long_side_px=5000), LIMITS)
    assert isinstance(outcome, RowError)
    assert (outcome.code, outcome.retryable) == (code, False)
    assert f"{size[0]} × {size[1]} px" in outcome.message


def test_the_limits_themselves_are_allowed() -> None:
    outcome = encode_picture(noise(2000, 10), PictureSize(long_side_px=5000), LIMITS)
    assert isinstance(outcome, EncodedPicture)


def test_bytes_are_saved_by_quality_first_and_by_pixels_then() -> None:
    whole = encoded(noise(64, 64))
    coarser = encoded(noise(64, 64), PictureLimits(len(whole.data_uri) - 1, 10, 200))
    halved = encoded(noise(64, 64), PictureLimits(2_000, 10, 200))
    assert (coarser.width, coarser.height) == (64, 64)
    assert len(coarser.data_uri) < len(whole.data_uri)
    assert (halved.width, halved.height) == (32, 32)


def test_what_cannot_be_made_small_enough_fails() -> None:
    outcome = encode_picture(noise(64, 64), SIZE, PictureLimits(100, 10, 200))
    assert isinstance(outcome, RowError)
    assert outcome.code == "picture_too_large"


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 120), st.integers(1, 120), st.integers(700, 20_000))
def test_what_is_sent_is_within_the_limits(width: int, height: int, max_bytes: int) -> None:
    outcome = encode_picture(noise(width, height), SIZE, PictureLimits(max_bytes, 10, 4))
    if isinstance(outcome, EncodedPicture):
        assert len(outcome.data_uri) <= max_bytes
        assert min(outcome.width, outcome.height) >= 10
        assert max(outcome.width, outcome.height) <= min(64, 4 * min(outcome.width, outcome.height))
        assert opened(outcome).size == (outcome.width, outcome.height)
    else:
        assert outcome.code in {"picture_too_small", "picture_too_narrow", "picture_too_large"}
