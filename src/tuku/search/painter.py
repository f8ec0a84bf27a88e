"""Paints cards, letterboxed pictures and wrapped text. All lengths in px."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from PIL import Image, ImageDraw, ImageOps

from tuku.fonts import find_font
from tuku.search.wrap import wrap
from tuku.terminal import printable

if TYPE_CHECKING:
    from tuku.search.grid_layout import Box

FontSize = Literal[14, 16, 22]

_MAT, _MISSING = "#e6eaf0", "#8a94a3"
_RADIUS = 12
_SMOOTH = 4  # corners are drawn so much larger and then reduced: Pillow draws them jagged
_LINE_HEIGHT = 1.45
_MAX_CHARACTERS = 500  # more never fits, so more is never measured


class Painter:
    """Draws on one RGB picture of `size` (width, height).

    Raises:
        ConfigError: `TUKU_FONT` names a file that is no font.
    """

    def __init__(self, size: tuple[int, int], background: str) -> None:
        self.canvas = Image.new("RGB", size, background)
        self._draw = ImageDraw.Draw(self.canvas)
        sizes: tuple[FontSize, ...] = (14, 16, 22)
        self._fonts = {size_px: find_font(size_px) for size_px in sizes}

    def card(self, box: Box, colour: str) -> None:
        """A rectangle with round corners."""
        self.canvas.paste(colour, (box.left, box.top), _rounded(box, "all"))

    def picture(self, box: Box, picture: Image.Image | None) -> None:
        """The whole picture, as large as the box allows, on a mat; a placeholder when there is none."""
        mat = Image.new("RGB", (box.width, box.height), _MAT)
        if picture is not None:
            fitted = ImageOps.contain(_flat(picture), mat.size, Image.Resampling.LANCZOS)
            mat.paste(fitted, ((mat.width - fitted.width) // 2, (mat.height - fitted.height) // 2))
        self.canvas.paste(mat, (box.left, box.top), _rounded(box, "top"))
        if picture is None:
            middle = (box.left + box.width // 2, box.top + box.height // 2)
            self._draw.text(middle, "picture missing", font=self._fonts[16], fill=_MISSING, anchor="mm")

    def label(
        self, left: int, top: int, text: str, size_px: FontSize, colour: str, *, right_aligned: bool = False
    ) -> None:
        """One line of our own words; `left` is its right end when it is right-aligned."""
        anchor = "ra" if right_aligned else "la"
        self._draw.text((left, top), text, font=self._fonts[size_px], fill=colour, anchor=anchor)

    def paragraph(self, box: Box, text: str, size_px: FontSize, colour: str, max_lines: int) -> int:
        """Wrapped text of a user or a catalogue, at most as many lines as fit; returns the top of what follows."""
        font, height = self._fonts[size_px], round(size_px * _LINE_HEIGHT)
        shown = printable(" ".join(text[:_MAX_CHARACTERS].split()))
        fitting = min(max_lines, box.height // height)
        lines = wrap(shown, box.width, fitting, font.getlength) if fitting > 0 else []
        for number, line in enumerate(lines):
            self._draw.text((box.left, box.top + number * height), line, font=font, fill=colour)
        return box.top + len(lines) * height


def _rounded(box: Box, corners: Literal["all", "top"]) -> Image.Image:
    """Mask of the box; with ``top`` its lower corners stay square."""
    large = Image.new("L", (box.width * _SMOOTH, box.height * _SMOOTH), 0)
    below = _RADIUS * _SMOOTH if corners == "top" else 0
    whole = (0, 0, large.width - 1, large.height - 1 + below)
    ImageDraw.Draw(large).rounded_rectangle(whole, _RADIUS * _SMOOTH, fill=255)
    return large.resize((box.width, box.height), Image.Resampling.BOX)


def _flat(picture: Image.Image) -> Image.Image:
    """RGB, what was transparent on white."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    paper = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(paper, layer).convert("RGB")
