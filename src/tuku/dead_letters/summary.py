"""Dead letters on a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from tuku import units
from tuku.tables import section, table
from tuku.terminal import printable
from tuku.uris import bare

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table

    from tuku.dead_letters.listing import DeadLetterList, Kind

_TIME = "%Y-%m-%d %H:%M UTC"


@dataclass(frozen=True)
class Summary:
    """Renders a list of dead letters: headline, counts by stage and code, examples, and what to do."""

    listed: DeadLetterList

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Called by rich to draw it."""
        listed = self.listed
        yield Text()
        yield Text(printable(_headline(listed)), style="bold")
        if listed.kinds:
            yield from section("Failed rows", _kinds(listed.kinds))
            if any(kind.examples for kind in listed.kinds):
                yield from section("Examples, newest first", _examples(listed.kinds))
            yield Padding(Text("What each code means, and what to do: docs/errors.md", style="dim"), (1, 0, 0, 0))
        yield Text()


def _headline(listed: DeadLetterList) -> str:
    if not listed.runs:
        return f"no run has ended yet in the lake {listed.lake}"
    if not listed.rows:
        return f"no row has failed{listed.selection}"
    may = f"{listed.retryable:,} of them may succeed as they are" if listed.retryable else "none may succeed as it is"
    return f"{units.plural(listed.rows, 'row')} failed{listed.selection} · {may} (tuku retry)"


def _kinds(kinds: Sequence[Kind]) -> Table:
    shown = table("stage", "code", ">rows", "may succeed", "newest")
    for kind in kinds:
        texts = (Text(printable(kind.stage)), Text(printable(kind.code), style="red"))
        shown.add_row(*texts, f"{kind.rows:,}", _may_succeed(kind), f"{kind.newest:{_TIME}}")
    return shown


def _may_succeed(kind: Kind) -> Text:
    if kind.retryable in (0, kind.rows):
        return Text("yes", style="green") if kind.retryable else Text("no", style="dim")
    return Text(f"{kind.retryable:,} of them")


def _examples(kinds: Sequence[Kind]) -> Table:
    shown = table("code", "id", "uri", "what happened")
    for kind in kinds:
        for example in kind.examples:
            said = (example["image_id"], bare(example["uri"] or ""), example["message"])
            texts = (Text(printable(str(text or ""))) for text in said)
            shown.add_row(Text(printable(kind.code), style="red"), *texts)
    return shown
