"""How large a picture may be, and how small it is made."""

from __future__ import annotations

from collections.abc import Sequence

from tuku.errors import RowError
from tuku.protocols import PictureSize

# The longest side that libjpeg takes (JPEG_MAX_DIMENSION in jmorecfg.h); other formats are held to it too.
MAX_SIDE_PX = 65_500

_NEAR = 0.49  # half of it, and the rounding of a pixel


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture whose header says that it is empty or larger than anybody wants to decode.

    Args:
        width: px, like `height`.
        height: px.
        max_pixels: the most that width × height may be.

    Raises:
        RowError: ``too_small``, ``too_many_pixels``.
    """
    if width < 1 or height < 1:
        raise RowError("too_small", f"{width} × {height} px")
    if max(width, height) > MAX_SIDE_PX:
        raise RowError("too_many_pixels", f"{width} × {height} px: a side may have {MAX_SIDE_PX} px")
    if width * height > max_pixels:
        raise RowError("too_many_pixels", f"{width} × {height} px, more than decode.max_pixels = {max_pixels}")


def reduced_size(width: int, height: int, sizes: Sequence[PictureSize]) -> tuple[int, int]:
    """Width and height (px) at which one picture serves several models.

    The largest of the wanted scales is taken, so that no model has to enlarge; without any, the picture stays
    as it is.
    """
    scale = max((size.scale(width, height) for size in sizes), default=1.0)
    return max(1, round(width * scale)), max(1, round(height * scale))


def near_size(loaded: tuple[int, int], target: tuple[int, int], sizes: Sequence[PictureSize]) -> tuple[int, int]:
    """Width and height (px) that a picture gets which was loaded at one size and is wanted at another.

    Models that all resize by themselves get it as it was loaded, unless that is far more than they need.
    """
    if not sizes or any(size.exact for size in sizes):
        return target
    return loaded if target[0] >= _NEAR * loaded[0] else target
