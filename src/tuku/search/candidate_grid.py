"""One picture of all candidates for a model's eyes: large numbers, nothing else. All lengths in px."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from tuku.protocols import Picture

_PAGE, _STRIP, _INK, _MAT, _QUERY = "#ffffff", "#101010", "#ffffff", "#d0d0d0", "#d00000"
_STRIP_SHARE = 9  # a strip is a ninth of its tile, at least
_LEAST_STRIP, _LEAST_TILE = 16, 64
_GAP = 4


def tile_px(candidates: int, side_px: int, *, query: bool) -> int:
    """The side of a tile where so many, and perhaps the query's picture, stand in a picture of this long side."""
    return max(_LEAST_TILE, side_px // _columns(candidates + query))


def draw_candidates(pictures: Sequence[Picture | None], query: Picture | None, side_px: int) -> Picture:
    """The query's picture first, in a red frame, then the candidates with their numbers from 1.

    Args:
        pictures: of the candidates; an empty tile for one that there is no picture of.
        query: the picture that was searched with, if any.
        side_px: the long side of what is drawn; larger if tiles would be too small to see anything in.

    Returns:
        RGB, as many columns as rows or one more. It has no words but ``QUERY``: a caption cannot pose as one of ours.
    """
    tile = tile_px(len(pictures), side_px, query=query is not None)
    cells = len(pictures) + (query is not None)
    columns = _columns(cells)
    canvas = Image.new("RGB", (columns * tile, math.ceil(cells / columns) * tile), _PAGE)
    tiles: list[tuple[Picture | None, str, str]] = [] if query is None else [(query, "QUERY", _QUERY)]
    tiles += [(picture, str(number), _STRIP) for number, picture in enumerate(pictures, 1)]
    for position, (picture, title, colour) in enumerate(tiles):
        row, column = divmod(position, columns)
        canvas.paste(_tile(picture, title, colour, tile), (column * tile, row * tile))
    pixels = np.asarray(canvas)
    return Picture(pixels, hashlib.sha256(pixels.tobytes()).hexdigest())


def _columns(cells: int) -> int:
    return math.ceil(math.sqrt(cells))


def _tile(picture: Picture | None, title: str, colour: str, side: int) -> Image.Image:
    strip = max(_LEAST_STRIP, side // _STRIP_SHARE)
    tile = Image.new("RGB", (side, side), _PAGE)
    draw = ImageDraw.Draw(tile)
    draw.rectangle((_GAP, _GAP, side - _GAP - 1, side - _GAP - 1), fill=colour)
    room = (side - 4 * _GAP, side - strip - 3 * _GAP)
    mat = Image.new("RGB", room, _MAT)
    if picture is not None:
        fitted = ImageOps.contain(Image.fromarray(picture.pixels), room)
        mat.paste(fitted, ((room[0] - fitted.width) // 2, (room[1] - fitted.height) // 2))
    tile.paste(mat, (2 * _GAP, strip + _GAP))
    # Pillow's own font: it has all that is written here, and no setting can take it away.
    draw.text((side // 2, _GAP + strip // 2), title, font=ImageFont.load_default(strip - 2), fill=_INK, anchor="mm")
    return tile
