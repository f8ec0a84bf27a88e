"""The parts that summaries on a terminal are made of: titled sections and plain tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from tuku.report import Rows


def section(title: str, body: RenderableType) -> Iterator[RenderableType]:
    """A title, and what stands below it, indented."""
    yield Text()
    yield Text(title, style="bold")
    yield Padding(body, (0, 0, 0, 2), expand=False)


def table(*names: str) -> Table:
    """Columns by name; one that starts with ``>`` holds numbers."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in names:
        number = name.startswith(">")
        made.add_column(name.lstrip(">"), justify="right" if number else "left", no_wrap=number, overflow="fold")
    return made


def rows_table(rows: Rows, unaccounted: int = 0) -> Table:
    """How many rows of the manifest there are of each class; those of which nothing is known only if there are any."""
    counts = rows.model_dump() | ({"unaccounted for": unaccounted} if unaccounted else {})
    colours = {"ok": "green", "failed": "red", "unaccounted for": "bold red"}
    made = table(*(f">{name}" for name in counts))
    made.add_row(
        *(Text(f"{number:,}", style=colours.get(name, "") if number else "dim") for name, number in counts.items())
    )
    return made
