"""A picture as it goes to a service: a small JPEG in a data URI."""

from __future__ import annotations

import base64
import threading
from dataclasses import dataclass, field

from tuku.errors import RowError
from tuku.imaging import CodedPicture, encode_jpeg, resize
from tuku.imaging.sizes import reduced_size
from tuku.protocols import Picture, PictureSize, Pixels

JPEG_QUALITY = 85
_LOWER_QUALITIES = (70, 55)
_MAX_HALVINGS = 6
_HEAD = "data:image/jpeg;base64,"
_ONE_AT_A_TIME = threading.Lock()
"""The threads that wait for answers are many; the processor that a worker was given is one, and requests need it."""


@dataclass(frozen=True)
class PictureLimits:
    """What a service accepts.

    Attributes:
        max_bytes: of the whole data URI.
        min_side_px: of the shorter side.
        max_aspect: the longer side divided by the shorter.
    """

    max_bytes: int
    min_side_px: int
    max_aspect: float


@dataclass(frozen=True)
class EncodedPicture:
    """A picture on the wire; its width and height (px) decide how many tokens it is."""

    data_uri: str = field(repr=False)
    width: int
    height: int


def encode_picture(picture: Picture, size: PictureSize, limits: PictureLimits) -> EncodedPicture | RowError:
    """The picture as a data URI; equal pixels give equal bytes.

    Args:
        picture: at the model's size or larger. What has been coded at this very size goes as it is.
        size: the model's; the picture is reduced to it, never enlarged.
        limits: the service's. A picture with too many bytes is coded more coarsely, and if that is not enough, halved.

    Returns:
        The picture, or why the service would refuse it: ``picture_too_narrow``, ``picture_too_small``,
        ``picture_too_large``.
    """
    coded = picture if isinstance(picture, CodedPicture) else None
    width, height = picture.pixels.shape[1::-1] if coded is None else coded.size
    target = reduced_size(width, height, [size])
    fault = _fault_of_shape(*target, limits)
    if fault is not None:
        return fault
    if coded is not None and coded.size == target:
        data_uri = _data_uri(coded.jpeg)
        if len(data_uri) <= limits.max_bytes:
            return EncodedPicture(data_uri, *target)
    with _ONE_AT_A_TIME:
        return _encoded(picture.pixels, size, limits)


def _data_uri(jpeg: bytes | memoryview) -> str:
    return _HEAD + base64.b64encode(jpeg).decode("ascii")


def _encoded(pixels: Pixels, size: PictureSize, limits: PictureLimits) -> EncodedPicture | RowError:
    pixels = resize(pixels, size)
    height, width, _ = pixels.shape
    for _ in range(_MAX_HALVINGS):
        for quality in (JPEG_QUALITY, *_LOWER_QUALITIES):
            data_uri = _data_uri(encode_jpeg(pixels, quality))
            if len(data_uri) <= limits.max_bytes:
                return EncodedPicture(data_uri, width, height)
        pixels = resize(pixels, PictureSize(long_side_px=max(1, max(width, height) // 2)))
        height, width, _ = pixels.shape
        if _fault_of_shape(width, height, limits) is not None:
            break
    return RowError("picture_too_large", f"cannot be coded in {limits.max_bytes} bytes, the most that the model takes")


def _fault_of_shape(width: int, height: int, limits: PictureLimits) -> RowError | None:
    short, long = sorted((width, height))
    if long > limits.max_aspect * short:
        return RowError(
            "picture_too_narrow", f"{width} × {height} px: the model takes sides of at most 1 : {limits.max_aspect:g}"
        )
    if short < limits.min_side_px:
        return RowError(
            "picture_too_small", f"{width} × {height} px: the model takes sides of at least {limits.min_side_px} px"
        )
    return None
