"""The report on a terminal. Without colours and frames it is the same text, so a log keeps it too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tuku import units
from tuku.report import Report
from tuku.terminal import printable

_HEADLINES = {"ok": ("done", "green"), "failed": ("failed", "red"), "stopped": ("stopped", "yellow")}
_BAR_CELLS = 24


@dataclass(frozen=True)
class Summary:
    """Renders a report: headline, counts, stages, errors, load, proof, files."""

    report: Report

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """What rich calls to draw it."""
        marks = ("ok", "FAILED", "#") if options.ascii_only else ("✓", "✗", "━")
        yield Text()
        yield self._headline(marks[0], marks[1])
        if self.report.message:
            yield Padding(Text(printable(self.report.message), style="yellow"), (1, 0, 0, 2))
        yield from _section("Rows", self._rows())
        if self.report.stages:
            yield from _section("Stages", self._stages(marks[2]))
        if self.report.errors:
            yield from _section("Failed rows", self._errors())
        if self.report.api:
            yield from _section("Services", self._services())
        if self.report.load:
            yield from _section("Load", self._load())
        if self.report.verify:
            yield from _section("Proof", self._proof(*marks[:2]))
        if self.report.paths:
            yield from _section("Files", self._files())

    def _headline(self, good: str, bad: str) -> Text:
        report = self.report
        word, colour = _HEADLINES[report.status]
        parts = [units.plural(report.rows.ok, "image") + " done"]
        if report.rows.ok + report.rows.failed == 0 and report.status == "ok":
            parts = ["nothing to do: the lake is up to date"]
        if report.rows.failed:
            parts.append(f"{report.rows.failed:,} failed")
        parts.append(units.duration(report.seconds))
        if report.rows.ok:
            parts.append(units.rate(report.rows_per_s()))
        line = Text()
        line.append(f"{good if report.status == 'ok' else bad} {word}", style=f"bold {colour}")
        line.append(f"  {' · '.join(parts)}", style="bold")
        line.append(f"   run {printable(report.run_id)}{' (resumed)' if report.resumed else ''}", style="dim")
        return line

    def _rows(self) -> RenderableType:
        rows = self.report.rows
        table = _table(*(f">{name}" for name in type(rows).model_fields))
        table.add_row(*(_count(name, number) for name, number in rows))
        if not self.report.unaccounted():
            return table
        table.add_column("unaccounted for", justify="right")
        table.columns[-1]._cells.append(Text(f"{self.report.unaccounted():,}", style="bold red"))
        return table

    def _stages(self, bar: str) -> Table:
        table = _table("stage", ">rows", ">time", ">rate", "")
        longest = max(stage.seconds for stage in self.report.stages.values()) or 1.0
        for name, stage in self.report.stages.items():
            cells = round(_BAR_CELLS * stage.seconds / longest)
            table.add_row(
                printable(name),
                f"{stage.rows:,}",
                units.duration(stage.seconds),
                units.rate(stage.rows_per_s),
                Text(bar * cells, style="cyan"),
            )
        return table

    def _errors(self) -> Table:
        table = _table("code", ">rows")
        for code, number in sorted(self.report.errors.items(), key=lambda item: (-item[1], item[0])):
            table.add_row(Text(printable(code), style="red"), f"{number:,}")
        return table

    def _services(self) -> Table:
        table = _table("stage", ">requests", ">retries", ">throttled", ">tokens in", ">tokens out", ">cost")
        for name, use in self.report.api.items():
            numbers = (use.requests, use.retries, use.throttled, use.input_tokens, use.output_tokens)
            table.add_row(
                printable(name), *(f"{number:,}" for number in numbers), units.money(use.cost, use.currency)
            )
        return table

    def _load(self) -> Text:
        load = self.report.load
        assert load is not None
        return Text()

    def _proof(self, good: str, bad: str) -> Table:
        return Table()

    def _files(self) -> Table:
        return Table()
