"""An evaluation on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tuku import units
from tuku.terminal import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tuku.protocols import Usage
    from tuku.search.evaluate import Evaluation

COLUMNS = ("recall@1", "recall@5", "recall@10", "mrr", "ndcg@10")


def evaluation_summary(evaluations: Sequence[Evaluation], usage: Usage) -> RenderableType:
    """One table: a line for each mode of each collection; latency, notes and the bill below it.

    Args:
        evaluations: of one collection each.
        usage: what encoding the queries took.
    """
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("mode", no_wrap=True)
    if len(evaluations) > 1:
        table.add_column("collection", no_wrap=True, style="dim")
    for name in ("queries", *COLUMNS, "ANN recall@10"):
        table.add_column(name, justify="right", no_wrap=True)
    found = [evaluation.to_dict() for evaluation in evaluations]
    for mode in found[0]["modes"]:
        for each in found:
            table.add_row(*_cells(mode, each, named=len(found) > 1))
    return Group(table, *(line for each in found for line in _lines(each)), *_bill(usage))


def _cells(mode: str, found: dict[str, Any], *, named: bool) -> list[str]:
    values, ann = found["modes"][mode], found["ann_recall@10"].get(mode)
    return [
        mode,
        *([printable(found["collection"])] if named else []),
        f"{values['queries']:,}",
        *(f"{values[name]:.3f}" for name in COLUMNS),
        "–" if ann is None else f"{ann:.3f}",
    ]


def _lines(found: dict[str, Any]) -> list[Text]:
    latency = found["latency_ms"]
    times = f"{found['collection']}: a query took {latency['p50']:.1f} ms (median), {latency['p95']:.1f} ms (p95)"
    return [Text(printable(times), style="dim"), *(Text(printable(note), style="yellow") for note in found["notes"])]


def _bill(usage: Usage) -> list[Text]:
    """Nothing for a model that runs here."""
    if not usage.requests:
        return []
    tokens = units.plural(usage.input_tokens + usage.output_tokens, "token")
    cost = units.money(usage.cost, usage.currency)
    bill = f"encoding the queries took {units.plural(usage.requests, 'request')} and {tokens}: {cost}"
    return [Text(printable(bill), style="dim")]
