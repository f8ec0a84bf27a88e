"""The report on a terminal. Without colours it is the same text, so a log can keep it too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tuku import units
from tuku.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console, ConsoleOptions, RenderableType

    from tuku.report import ApiUse, LoadSummary, Report, Rows, StageTime, VerifySummary

_HEADLINES = {"ok": ("done", "green"), "failed": ("failed", "red"), "stopped": ("stopped", "yellow")}
_BAR_CELLS = 24


@dataclass(frozen=True)
class _Marks:
    good: str = "✓"
    bad: str = "✗"
    bar: str = "━"
    dot: str = "·"


_ASCII = _Marks(good="ok", bad="FAILED", bar="=", dot="-")


@dataclass(frozen=True)
class Summary:
    """Renders a report: headline, counts, stages, failures, services, load, proof, files."""

    report: Report

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Called by rich to draw it."""
        marks = _ASCII if options.ascii_only else _Marks()
        report = self.report
        yield Text()
        yield _headline(report, marks)
        if report.message:
            yield Padding(Text(printable(report.message), style="yellow"), (1, 0, 0, 2), expand=False)
        yield from _section("Rows", _rows(report.rows, report.unaccounted()))
        if report.stages:
            yield from _section("Stages", _stages(report.stages, marks))
        if report.errors:
            yield from _section("Failed rows", _errors(report.errors))
        if report.api:
            yield from _section("Services", _services(report.api))
        if report.load:
            yield from _section("Load", _load(report.load))
            if report.load.reason:
                yield Padding(Text(printable(report.load.reason), style="dim"), (0, 0, 0, 2), expand=False)
        if report.verify:
            yield from _section("Proof", _proof(report.verify, marks))
        if report.models:
            yield from _section("Models", _models(report.models))
        if report.paths:
            yield from _section("Files", _files(report.paths))
        yield Text()


def _headline(report: Report, marks: _Marks) -> Text:
    word, colour = _HEADLINES[report.status]
    mark = marks.good if report.status == "ok" else marks.bad
    resumed = ", resumed" if report.resumed else ""
    return Text.assemble(
        (word if word == mark.lower() else f"{mark} {word}", f"bold {colour}"),
        ("  " + f" {marks.dot} ".join(report.headline()), "bold"),
        (f"  (run {printable(report.run_id)}{resumed})", "dim"),
    )


def _section(title: str, body: RenderableType) -> Iterator[RenderableType]:
    yield Text()
    yield Text(title, style="bold")
    yield Padding(body, (0, 0, 0, 2), expand=False)


def _table(*names: str) -> Table:
    """Columns by name; one that starts with ``>`` holds numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in names:
        number = name.startswith(">")
        table.add_column(name.lstrip(">"), justify="right" if number else "left", no_wrap=number, overflow="fold")
    return table


def _rows(rows: Rows, unaccounted: int) -> Table:
    counts = rows.model_dump() | ({"unaccounted for": unaccounted} if unaccounted else {})
    colours = {"ok": "green", "failed": "red", "unaccounted for": "bold red"}
    table = _table(*(f">{name}" for name in counts))
    table.add_row(
        *(Text(f"{number:,}", style=colours.get(name, "") if number else "dim") for name, number in counts.items())
    )
    return table


def _stages(stages: Mapping[str, StageTime], marks: _Marks) -> Table:
    table = _table("stage", ">rows", ">time", ">rate", "")
    longest = max(stage.seconds for stage in stages.values()) or 1.0
    for name, stage in stages.items():
        bar = marks.bar * round(_BAR_CELLS * stage.seconds / longest)
        numbers = (f"{stage.rows:,}", units.duration(stage.seconds), units.rate(stage.rows_per_s))
        table.add_row(Text(printable(name)), *numbers, Text(bar, style="cyan"))
    return table


def _errors(errors: Mapping[str, int]) -> Table:
    table = _table("code", ">rows")
    for code, number in sorted(errors.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(Text(printable(code), style="red"), f"{number:,}")
    return table


def _services(api: Mapping[str, ApiUse]) -> Table:
    table = _table("stage", ">requests", ">retries", ">throttled", ">tokens in", ">tokens out", ">cost")
    for name, use in api.items():
        counts = (use.requests, use.retries, use.throttled, use.input_tokens, use.output_tokens)
        table.add_row(
            Text(printable(name)),
            *(f"{number:,}" for number in counts),
            Text(units.money(use.cost, printable(use.currency))),
        )
    return table


def _load(load: LoadSummary) -> Table:
    table = _table("collection", "alias", "strategy", ">inserted", ">deleted", ">files", ">time")
    texts = (load.collection, load.alias or "none", load.strategy)
    numbers = (load.inserted, load.deleted, load.files)
    table.add_row(
        *(Text(printable(text)) for text in texts),
        *(f"{number:,}" for number in numbers),
        units.duration(load.seconds),
    )
    return table


def _proof(verify: VerifySummary, marks: _Marks) -> Table:
    table = _table("", "check", "expected", "actual")
    for check in verify.checks:
        mark = Text(marks.good, style="green") if check.passed else Text(marks.bad, style="bold red")
        values = (printable(units.value(value)) for value in (check.expected, check.actual))
        table.add_row(mark, Text(printable(check.name)), *(Text(value) for value in values))
    return table


def _models(models: Mapping[str, str]) -> Table:
    table = _table("", "")
    table.show_header = False
    for stage, about in models.items():
        table.add_row(Text(printable(stage), style="dim"), Text(printable(about), overflow="fold"))
    return table


def _files(paths: Mapping[str, str]) -> Table:
    table = _table("", "")
    table.show_header = False
    for name, path in paths.items():
        table.add_row(Text(printable(name), style="dim"), Text(printable(path), style="cyan", overflow="fold"))
    return table
