"""Breaks text into lines for a picture: Chinese between any two characters, other scripts between words."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_ELLIPSIS = "…"

_NEVER_FIRST = frozenset("，。、！？；：）》」』】〕’”…％,.!?;:)]}%")
"""A line does not begin with these; they stay with the character before them."""

_NEVER_LAST = frozenset("（《「『【〔‘“([{")
"""A line does not end with these; they stay with the character after them."""

_WORDS = re.compile(r"\s+|\S+")


def wrap(text: str, width: float, max_lines: int, measure: Callable[[str], float]) -> list[str]:
    """At most `max_lines` lines, none of them wider than `width`; an ellipsis says that something is missing.

    Args:
        text: any text; white space is collapsed.
        width: room for one line, in the unit of `measure`.
        max_lines: at least 1.
        measure: width of a text when it is drawn on one line.
    """
    lines: list[str] = []
    line = ""
    for piece in _fitting(_pieces(" ".join(text.split())), width, measure):
        if line and measure((line + piece).rstrip()) > width:
            lines.append(line.rstrip())
            if len(lines) > max_lines:
                break
            line = piece.lstrip()
        else:
            line += piece
    else:
        lines.append(line.rstrip())
    if len(lines) <= max_lines:
        return lines if text.strip() else []
    return [*lines[: max_lines - 1], _shortened(lines[max_lines - 1], width, measure)]


def _pieces(text: str) -> Iterator[str]:
    """Parts of the text between which a line may end."""
    piece = ""
    for word in _WORDS.findall(text):
        for character in word:
            breaks = _wide(character) or character.isspace() or (bool(piece) and _wide(piece[-1]))
            keeps = character in _NEVER_FIRST or (bool(piece) and piece[-1] in _NEVER_LAST)
            if piece and breaks and not keeps:
                yield piece
                piece = ""
            piece += character
    if piece:
        yield piece


def _wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in {"W", "F"}


def _fitting(pieces: Iterable[str], width: float, measure: Callable[[str], float]) -> Iterator[str]:
    """The pieces, those that no line can hold cut into single characters."""
    for piece in pieces:
        if measure(piece.strip()) <= width:
            yield piece
        else:
            yield from piece


def _shortened(line: str, width: float, measure: Callable[[str], float]) -> str:
    while line and measure(line + _ELLIPSIS) > width:
        line = line[:-1].rstrip()
    return line + _ELLIPSIS
