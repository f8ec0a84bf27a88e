"""A forecast on a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from tuku import units
from tuku.tables import rows_table, section, table
from tuku.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table

    from tuku.forecast import Forecast, StageForecast

_NONE = "–"


@dataclass(frozen=True)
class Summary:
    """Renders a forecast: headline, rows, what each stage asks for and costs, and what to make of it."""

    forecast: Forecast

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Called by rich to draw it."""
        forecast = self.forecast
        yield Text()
        yield Text(_headline(forecast), style="bold")
        yield from section("Rows", rows_table(forecast.rows))
        if forecast.reasons:
            yield from section("Why", _reasons(forecast))
        if forecast.work:
            yield from section(_title(forecast), _stages(forecast))
            for note in _notes(forecast):
                yield Padding(Text(printable(note), style="dim"), (0, 0, 0, 2), expand=False)
        for warning in forecast.warnings:
            yield Padding(Text(printable(warning), style="yellow"), (0, 0, 0, 2), expand=False)
        yield Text()


def _headline(forecast: Forecast) -> str:
    if not forecast.work:
        wrong = f"; {units.plural(forecast.rows.failed, 'row')} cannot be done" if forecast.rows.failed else ""
        return f"nothing to do: nothing is new, nothing has changed{wrong}"
    parts = [f"{units.plural(forecast.work, 'image')} to do"]
    if forecast.calls:
        parts += [units.plural(forecast.calls, "call"), f"about {_total(forecast)}", _minutes(forecast.minutes)]
    elif all(stage.price is None for stage in forecast.stages.values()):
        parts.append("no calls, no cost: the models run here")
    else:
        parts.append("no calls")
    return " · ".join(parts)


_REASONS = {
    "new": "not in the lake yet",
    "moved": "another URI under the same id; what is the same picture is not paid for again",
    "source": "the file has changed; what is the same picture is not paid for again",
    "caption": "another captioner, or other settings: captioned again",
    "embedding": "another embedder, or other settings: embedded again",
    "metadata": "other metadata: no model is asked",
    "recheck": "the server will be asked whether the picture has changed",
}


def _reasons(forecast: Forecast) -> Table:
    shown = table("reason", ">rows", "what it means")
    for reason, rows in forecast.reasons.items():
        shown.add_row(reason, f"{rows:,}", Text(_REASONS.get(reason, "")))
    return shown


def _title(forecast: Forecast) -> str:
    dates = sorted({stage.price.as_of for stage in forecast.stages.values() if stage.price and stage.price.as_of})
    return f"Estimate, at prices of {' and '.join(dates)}" if dates else "Estimate"


def _stages(forecast: Forecast) -> Table:
    shown = table("stage", "model", ">calls", ">tokens in", ">tokens out", ">cost", ">time at the quota")
    for name, stage in forecast.stages.items():
        shown.add_row(Text(printable(name)), Text(printable(stage.model), overflow="fold"), *_numbers(stage))
    if forecast.calls:
        sent = sum(stage.input_tokens for stage in forecast.stages.values())
        answered = sum(stage.output_tokens for stage in forecast.stages.values())
        counts = (f"{number:,}" for number in (forecast.calls, sent, answered))
        shown.add_row("total", "", *counts, _total(forecast), _minutes(forecast.minutes), style="bold")
    return shown


def _numbers(stage: StageForecast) -> list[str]:
    if stage.price is None:
        return [_NONE, _NONE, _NONE, "free", _NONE]
    counts = [f"{number:,}" for number in (stage.calls, stage.input_tokens, stage.output_tokens)]
    return [*counts, units.money(stage.cost, printable(stage.price.currency)), _minutes(stage.minutes)]


def _total(forecast: Forecast) -> str:
    if forecast.cost is not None and forecast.currency is not None:
        return units.money(forecast.cost, printable(forecast.currency))
    costs = (
        units.money(stage.cost, printable(stage.price.currency))
        for stage in forecast.stages.values()
        if stage.price and stage.cost
    )
    return " + ".join(costs)


def _minutes(minutes: float | None) -> str:
    return "no limit is known" if minutes is None else units.duration(60 * minutes)


def _notes(forecast: Forecast) -> Iterator[str]:
    if forecast.calls or forecast.sampled:
        codes = ", ".join(f"{code} {number}" for code, number in sorted(forecast.unreadable.items()))
        failed = f"; {sum(forecast.unreadable.values())} cannot be read ({codes}) and cost nothing" if codes else ""
        of = f"{forecast.sampled:,} of {units.plural(forecast.work, 'picture')}"
        yield f"An estimate from {of}{failed}. Retries are not in it; what the services count is what is billed."
    here = [name for name, stage in forecast.stages.items() if stage.price is None]
    if here and forecast.calls:
        yield f"{' and '.join(here)}: the model runs here, and costs nothing."
