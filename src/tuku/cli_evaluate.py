"""`tuku evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from tuku.cli_options import common, read_config
from tuku.cli_output import show


@click.command()
@click.argument("queries", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--compare", metavar="COLLECTION", help="Another collection beside it; `tuku collections` lists them.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page with examples of misses.")
@click.option("--from-feedback", is_flag=True, help="First write QUERIES from the clicks that `tuku serve` recorded.")
@common
def evaluate(
    queries: Path,
    compare: str | None,
    html: Path | None,
    from_feedback: bool,
    profile: Path | None,
    overrides: Sequence[str],
    as_json: bool,
) -> int:
    """Ask labelled QUERIES (JSONL: text and/or image, relevant ids) in every way, and say how good the answers are."""
    from tuku.runtime.evaluating import evaluate_file, write_feedback

    config = read_config(profile, overrides)
    if from_feedback:
        number = write_feedback(config, queries)
        click.echo(f"{number:,} queries from feedback: {queries}", err=True)
    show(evaluate_file(config, queries, compare=compare, html=html), as_json=as_json)
    if html is not None and not as_json:
        click.echo(f"page: {html}")
    return 0
