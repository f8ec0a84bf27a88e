"""The answer to a query as one picture: the query on the left, the results as captioned tiles, best first."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from tuku.search.grid_layout import PADDING, PICTURE_HEIGHT, TILE_HEIGHT, Box, Layout
from tuku.search.painter import Painter
from tuku.search.words import asked_of, outcome
from tuku.uris import bare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from tuku.search.query import Query
    from tuku.search.results import Result, SearchAnswer

_PAGE, _CARD = "#eef1f5", "#ffffff"
_INK, _MUTED = "#17202c", "#697586"
_QUERY_CARD, _QUERY_INK, _QUERY_MUTED = "#0f4c5c", "#ffffff", "#9fd0db"

_CAPTION_LINES = 3
_QUERY_LINES = 7
_WHERE_LINES = 3


def draw_grid(
    answer: SearchAnswer,
    pictures: Sequence[Image.Image | None],
    query_picture: Image.Image | None = None,
    columns: int | None = None,
) -> Image.Image:
    """Draw an answer.

    Args:
        answer: query and results.
        pictures: one for each result, of any mode and size; None where the file is gone.
        query_picture: the picture that was searched with, if any.
        columns: tiles in a row; chosen to fit the number of results by default.

    Returns:
        An RGB picture.

    Raises:
        ConfigError: `TUKU_FONT` names a file that is no font.
    """
    layout = Layout.of(len(answer.results), columns)
    painter = Painter(layout.size, _PAGE)
    _query(painter, layout.query, answer, query_picture)
    for position, (result, picture) in enumerate(zip(answer.results, pictures, strict=True)):
        _tile(painter, layout.tile(position), answer.query.offset + position + 1, result, picture)
    return painter.canvas


def png_of(image: Image.Image) -> bytes:
    """The content of a PNG file."""
    file = BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()


def _query(painter: Painter, box: Box, answer: SearchAnswer, picture: Image.Image | None) -> None:
    query = answer.query
    height = _query_picture_height(query, box) if query.image is not None or picture is not None else 0
    # The card begins behind the picture, so that its corners do not shine through the picture's.
    covered = height // 2
    painter.card(Box(box.left, box.top + covered, box.width, box.height - covered), _QUERY_CARD)
    if height:
        painter.picture(Box(box.left, box.top, box.width, height), picture)
    left, top = box.left + PADDING, box.top + height + PADDING
    foot = box.top + box.height - PADDING - 18
    painter.label(left, top, asked_of(query), 14, _QUERY_MUTED)
    top += 26
    room = Box(left, top, box.width - 2 * PADDING, foot - top)
    top = painter.paragraph(room, query.text or "", 22, _QUERY_INK, _QUERY_LINES)
    if query.where:
        room = Box(left, top + 8, room.width, foot - top - 8)
        painter.paragraph(room, f"where {query.where}", 14, _QUERY_MUTED, _WHERE_LINES)
    painter.label(left, foot, outcome(answer), 14, _QUERY_MUTED)


def _query_picture_height(query: Query, box: Box) -> int:
    """Less than a result's when words need the room in a panel that is but one tile high."""
    cramped = box.height <= TILE_HEIGHT and (query.text or query.where)
    return PICTURE_HEIGHT * 2 // 3 if cramped else PICTURE_HEIGHT


def _tile(painter: Painter, box: Box, rank: int, result: Result, picture: Image.Image | None) -> None:
    painter.card(box, _CARD)
    painter.picture(Box(box.left, box.top, box.width, PICTURE_HEIGHT), picture)
    left, top, width = box.left + PADDING, box.top + PICTURE_HEIGHT + 10, box.width - 2 * PADDING
    painter.label(left, top, f"{rank}", 16, _INK)
    painter.label(left + width, top, f"{result.score:.3f}", 16, _MUTED, right_aligned=True)
    room = Box(left, top + 26, width, box.top + box.height - top - 26)
    painter.paragraph(room, result.caption or Path(bare(result.uri)).name, 16, _INK, _CAPTION_LINES)
