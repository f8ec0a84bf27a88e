"""The report on a terminal. Without colours it is the same text, so a log can keep it too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from tuku import units
from tuku.tables import rows_table, section, table
from tuku.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table

    from tuku.report import ApiUse, LoadSummary, Report, StageTime, VerifySummary

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
        for said in filter(None, (report.message, *report.warnings)):
            yield Padding(Text(printable(said), style="yellow"), (1, 0, 0, 2), expand=False)
        yield from section("Rows", rows_table(report.rows, report.unaccounted()))
        if report.stages:
            yield from section("Stages", _stages(report.stages, marks))
        if report.errors:
            yield from section("Failed rows", _errors(report.errors))
        if report.api:
            yield from section("Services", _services(report))
        if report.load:
            yield from section("Load", _load(report.load))
            if report.load.reason:
                yield Padding(Text(printable(report.load.reason), style="dim"), (0, 0, 0, 2), expand=False)
        if report.verify:
            yield from section("Proof", _proof(report.verify, marks))
        if report.models:
            yield from section("Models", _models(report.models))
        if report.paths:
            yield from section("Files", _files(report.paths))
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


def _stages(stages: Mapping[str, StageTime], marks: _Marks) -> Table:
    shown = table("stage", ">rows", ">time", ">rate", "")
    longest = max(stage.seconds for stage in stages.values()) or 1.0
    for name, stage in stages.items():
        bar = marks.bar * round(_BAR_CELLS * stage.seconds / longest)
        numbers = (f"{stage.rows:,}", units.duration(stage.seconds), units.rate(stage.rows_per_s))
        shown.add_row(Text(printable(name)), *numbers, Text(bar, style="cyan"))
    return shown


def _errors(errors: Mapping[str, int]) -> Table:
    shown = table("code", ">rows")
    for code, number in sorted(errors.items(), key=lambda item: (-item[1], item[0])):
        shown.add_row(Text(printable(code), style="red"), f"{number:,}")
    return shown


def _services(report: Report) -> Table:
    shown = table("stage", ">requests", ">retries", ">throttled", ">tokens in", ">tokens out", ">cost")
    for name, use in report.api.items():
        shown.add_row(Text(printable(name)), *_counts([use]), Text(units.money(use.cost, printable(use.currency))))
    if len(report.api) > 1:
        total = ", ".join(units.money(amount, printable(currency)) for currency, amount in report.costs().items())
        shown.add_row("total", *_counts(report.api.values()), Text(total or "–"), style="bold")
    return shown


def _counts(uses: Iterable[ApiUse]) -> list[str]:
    names = ("requests", "retries", "throttled", "input_tokens", "output_tokens")
    listed = list(uses)
    return [f"{sum(getattr(use, name) for use in listed):,}" for name in names]


def _load(load: LoadSummary) -> Table:
    shown = table("collection", "alias", "strategy", ">inserted", ">deleted", ">files", ">time")
    texts = (load.collection, load.alias or "none", load.strategy)
    numbers = (load.inserted, load.deleted, load.files)
    shown.add_row(
        *(Text(printable(text)) for text in texts),
        *(f"{number:,}" for number in numbers),
        units.duration(load.seconds),
    )
    return shown


def _proof(verify: VerifySummary, marks: _Marks) -> Table:
    shown = table("", "check", "expected", "actual")
    for check in verify.checks:
        mark = Text(marks.good, style="green") if check.passed else Text(marks.bad, style="bold red")
        values = (printable(units.value(value)) for value in (check.expected, check.actual))
        shown.add_row(mark, Text(printable(check.name)), *(Text(value) for value in values))
    return shown


def _models(models: Mapping[str, str]) -> Table:
    shown = table("", "")
    shown.show_header = False
    for stage, about in models.items():
        shown.add_row(Text(printable(stage), style="dim"), Text(printable(about), overflow="fold"))
    return shown


def _files(paths: Mapping[str, str]) -> Table:
    shown = table("", "")
    shown.show_header = False
    for name, path in paths.items():
        shown.add_row(Text(printable(name), style="dim"), Text(printable(path), style="cyan", overflow="fold"))
    return shown
