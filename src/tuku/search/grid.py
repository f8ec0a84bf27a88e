"""The answer to a query as one picture: the query on the left, the results as captioned tiles, best first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageOps

from tuku.fonts import find_font
from tuku.search.grid_layout import PADDING, PICTURE_HEIGHT, Box, Layout
from tuku.search.wrap import wrap
from tuku.storage import Storage
from tuku.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import ImageFont

    from tuku.search.results import Query, Result, SearchAnswer

_PAGE, _CARD, _MAT = "#eef1f5", "#ffffff", "#e3e8ef"
_INK, _MUTED, _ACCENT = "#17202c", "#697586", "#0f766e"
_RADIUS = 12
_SMOOTH = 4  # corners are drawn so much larger and reduced: Pillow draws them jagged
_TITLE_PX, _TEXT_PX, _SMALL_PX = 22, 16, 14
_CAPTION_LINES = 3
_QUERY_LINES = 7
_MAX_CHARACTERS = 500  # nothing longer is ever shown, so nothing longer is measured

_Font = "ImageFont.FreeTypeFont | ImageFont.ImageFont"


def draw_grid(
    answer: SearchAnswer,
    pictures: Sequence[Image.Image | None],
    query_picture: Image.Image | None = None,
    columns: int | None = None,
) -> Image.Image:
    """Draw an answer.

    Args:
        answer: query and results.
        pictures: one for each result, in any mode and size; None where the file is gone.
        query_picture: the picture that was searched with, if any.
        columns: tiles in a row; chosen to fit the number of results by default.

    Returns:
        An RGB picture.

    Raises:
        ConfigError: `TUKU_FONT` names a file that is no font.
    """
    layout = Layout.of(len(answer.results), columns)
    canvas = Image.new("RGB", layout.size, _PAGE)
    _draw_query(canvas, layout.query, answer, query_picture)
    for rank, (result, picture) in enumerate(zip(answer.results, pictures, strict=True), start=1):
        _draw_tile(canvas, layout.tile(rank - 1), rank, result, picture)
    return canvas


def save_grid(image: Image.Image, path: str | Path) -> None:
    """Write a PNG that is either whole or absent.

    Raises:
        StorageError: the folder cannot be written to.
        StoppedError: the disk is full.
    """
    target = Path(path)
    with Storage.at(str(target.parent)).atomic(target.name) as file:
        image.save(file, format="PNG", optimize=True)


def _draw_query(canvas: Image.Image, box: Box, answer: SearchAnswer, picture: Image.Image | None) -> None:
    query = answer.query
    _card(canvas, box, _ACCENT)
    draw, left, top = ImageDraw.Draw(canvas), box.left + PADDING, box.top + PADDING
    if picture is not None or query.image:
        _picture(canvas, Box(box.left, box.top, box.width, PICTURE_HEIGHT), picture)
        top = box.top + PICTURE_HEIGHT + PADDING
    draw.text((left, top), _kind(query), font=find_font(_SMALL_PX), fill="#99f6e4")
    top += 2 * _SMALL_PX
    footer = box.top + box.height - PADDING - _SMALL_PX - 4
    room = (footer - top) // (_TITLE_PX + 8)
    for text, size_px in ((query.text, _TITLE_PX), (query.where, _SMALL_PX)):
        lines = min(_QUERY_LINES, room)
        top = _paragraph(draw, (left, top), text or "", find_font(size_px), _CARD, box.width, lines)
    draw.text((left, footer), _outcome(answer), font=find_font(_SMALL_PX), fill="#99f6e4")


def _kind(query: Query) -> str:
    asked = " + ".join(name for name, given in (("text", query.text), ("image", query.image)) if given)
    found = {"image": "pictures", "text": "captions", "both": "pictures and captions"}[query.target]
    return f"{asked} in {found}"


def _outcome(answer: SearchAnswer) -> str:
    number = len(answer.results)
    found = "nothing found" if not number else f"{number} result" + ("s" if number > 1 else "")
    total_ms = sum(answer.timings_ms.values())
    parts = [found, *(["reranked"] if answer.reranked else []), *([f"{total_ms:.0f} ms"] if total_ms else [])]
    return " · ".join(parts)


def _draw_tile(canvas: Image.Image, box: Box, rank: int, result: Result, picture: Image.Image | None) -> None:
    _card(canvas, box, _CARD)
    _picture(canvas, Box(box.left, box.top, box.width, PICTURE_HEIGHT), picture)
    draw, top = ImageDraw.Draw(canvas), box.top + PICTURE_HEIGHT + PADDING - 2
    left, right = box.left + PADDING, box.left + box.width - PADDING
    draw.text((left, top), f"{rank}", font=find_font(_TEXT_PX), fill=_ACCENT)
    draw.text((right, top), f"{result.score:.3f}", font=find_font(_TEXT_PX), fill=_MUTED, anchor="ra")
    caption = result.caption or Path(result.uri).name
    start = (left, top + _TEXT_PX + 8)
    _paragraph(draw, start, caption, find_font(_TEXT_PX), _INK, box.width, _CAPTION_LINES)


def _paragraph(
    draw: ImageDraw.ImageDraw,
    start: tuple[int, int],
    text: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    colour: str,
    width: int,
    max_lines: int,
) -> int:
    """Draw wrapped text; returns where the next thing may begin (px from the top)."""
    left, top = start
    shown = printable(" ".join(text[:_MAX_CHARACTERS].split()))
    height = int(font.size * 1.4) if hasattr(font, "size") else 2 * _SMALL_PX
    for line in wrap(shown, width - 2 * PADDING, max_lines, font.getlength) if max_lines > 0 else []:
        draw.text((left, top), line, font=font, fill=colour)
        top += height
    return top + (height // 2 if shown else 0)


def _card(canvas: Image.Image, box: Box, colour: str) -> None:
    large = Image.new("L", (box.width * _SMOOTH, box.height * _SMOOTH), 0)
    whole = (0, 0, large.width - 1, large.height - 1)
    ImageDraw.Draw(large).rounded_rectangle(whole, _RADIUS * _SMOOTH, fill=255)
    mask = large.resize((box.width, box.height), Image.Resampling.LANCZOS)
    canvas.paste(colour, (box.left, box.top), mask)
