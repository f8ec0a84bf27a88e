"""A lake, and what a vacuum does, on a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from tuku import units
from tuku.tables import section, table
from tuku.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table

    from tuku.housekeeping.overview import Overview
    from tuku.housekeeping.results import Vacuum

_KINDS = {
    "parts": "images",
    "errors": "dead letters",
    "deleted": "deletions",
    "paid": "answers paid for",
    "plan": "work lists",
    "other": "reports and the rest",
}
_REASONS = {
    "replaced": "images that a compaction has copied",
    "work lists": "what runs that have ended had to do",
    "answers": "answers that the images have by now",
    "unfinished": "files that nobody is writing any more",
    "unlisted": "files that no run counts",
    "rejected": "images of runs whose rows did not add up",
    "old runs": "reports and settled dead letters of old runs",
    "loads": "what was begun to be loaded into Milvus, and never ended",
}


@dataclass(frozen=True)
class OverviewSummary:
    """Renders a lake: headline, files by kind, runs, and what could be done."""

    overview: Overview

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Called by rich to draw it."""
        seen = self.overview
        yield Text()
        yield Text(printable(_headline(seen)), style="bold")
        if any(seen.runs.values()):
            yield from section("Files", _sizes("kind", seen.kinds, _KINDS))
            runs = (f"{state} {number:,}" for state, number in seen.runs.items() if number)
            yield from section("Runs", Text(" · ".join(runs)))
        if seen.small_files > 1:
            small = f"{seen.small_files:,} files of images are smaller than half of lake.part_mb (tuku lake compact)"
            yield Padding(Text(small, style="dim"), (1, 0, 0, 0), expand=False)
        if seen.removable:
            yield from section("What tuku lake vacuum would remove", _sizes("reason", seen.removable, _REASONS))
        yield Text()


@dataclass(frozen=True)
class VacuumSummary:
    """Renders what was removed, or could be."""

    vacuum: Vacuum

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Called by rich to draw it."""
        yield Text(str(self.vacuum), style="bold")
        reasons = self.vacuum.to_dict()["reasons"]
        if reasons:
            yield Padding(_sizes("reason", reasons, _REASONS), (0, 0, 0, 2), expand=False)


def _headline(seen: Overview) -> str:
    if seen.newest is None:
        return f"no run has ended yet in the lake {seen.lake}"
    superseded = f" ({seen.stored_rows - seen.images:,} superseded rows)" if seen.stored_rows > seen.images else ""
    total = units.size(sum(kind["bytes"] for kind in seen.kinds.values()))
    return f"{units.plural(seen.images, 'image')}{superseded} · {total} · newest run {seen.newest} · {seen.lake}"


def _sizes(name: str, sizes: Mapping[str, Mapping[str, int]], meaning: Mapping[str, str]) -> Table:
    shown = table(name, ">files", ">size", "what it is")
    for key, each in sizes.items():
        if each["files"]:
            shown.add_row(key, f"{each['files']:,}", units.size(each["bytes"]), meaning[key])
    return shown
