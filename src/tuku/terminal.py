"""Text for a terminal: whatever a catalogue holds is shown, and nothing in it can move the cursor."""

from __future__ import annotations

import os
import unicodedata
from typing import TYPE_CHECKING, TextIO

from tuku.uris import bare

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console, RenderableType

    from tuku.search.results import Result, SearchAnswer

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e"}

_HARMFUL = frozenset(
    {
        "Cc",  # controls: escapes, backspace, line breaks
        "Cf",  # bidi overrides and isolates, zero-width characters: they make a text look like another text
        "Cs",  # half a surrogate pair, from file names that are not UTF-8: cannot be encoded
        "Zl",  # line and paragraph separators
        "Zp",
    }
)
"""Unicode general categories of what is never written as it is."""

_JOINERS = "\u200c\u200d"
"""Of category Cf too, but emoji and several scripts are spelled with them."""

PLAIN_WIDTH = 200
"""Columns of a line that goes to a file or a pipe, where folding a path would only break it."""


def printable(text: str) -> str:
    r"""The text on one line, with every character that could act on a terminal or a page shown as an escape.

    Chinese, accents and emoji stay as they are; ``\x1b[2J`` becomes ``\e[2J``, U+202E becomes ``\u202e``.
    """
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    if character in _JOINERS or unicodedata.category(character) not in _HARMFUL:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004  (what one byte holds)


def make_console(stream: TextIO) -> Console:
    """A console that takes text as it is: no markup, no emoji codes; plain when `stream` is no terminal."""
    from rich.console import Console

    folded = stream.isatty() or "COLUMNS" in os.environ
    return Console(file=stream, width=None if folded else PLAIN_WIDTH, markup=False, emoji=False, highlight=False)


def answer_summary(answer: SearchAnswer, *, titled: bool = False) -> RenderableType:
    """Results as a table, the reasons of a reranker, and what else should be known; the query above it if `titled`."""
    from rich.console import Group
    from rich.text import Text

    query = answer.query
    parts: list[RenderableType] = []
    if titled:
        picture = bare(query.image) if isinstance(query.image, str) else query.image and "a picture"
        parts.append(Text(printable(" + ".join(each for each in (query.text, picture) if each)), style="bold"))
    parts.append(results_table(answer.results, query.offset))
    reasons = ((rank, result.reason) for rank, result in enumerate(answer.results, start=query.offset + 1))
    parts += [Text(f"{rank}: {printable(reason)}") for rank, reason in reasons if reason]
    parts += [Text(printable(note), style="yellow") for note in answer.notes]
    return Group(*parts)


def results_table(results: Iterable[Result], offset: int = 0) -> RenderableType:
    """Rank, score, id, caption and URI without credentials; the columns fit Chinese, two cells a character."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("#", justify="right", style="dim", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("id", max_width=20, no_wrap=True, overflow="ellipsis", style="dim")
    table.add_column("caption", ratio=3, overflow="fold")
    table.add_column("uri", ratio=2, overflow="fold", style="cyan")
    for rank, result in enumerate(results, start=offset + 1):
        texts = (result.id, result.caption or "–", bare(result.uri))
        table.add_row(str(rank), f"{result.score:.3f}", *(Text(printable(text), overflow="fold") for text in texts))
    return table if table.row_count else Text("nothing found", style="dim")
