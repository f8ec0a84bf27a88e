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
@click.option(
    "--from-feedback", is_flag=True, help="First write QUERIES, a new file, of the clicks that `tuku serve` recorded."
)
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
    from tuku.runtime.evaluating import evaluate_feedback, evaluate_file

    run = evaluate_feedback if from_feedback else evaluate_file
    show(run(read_config(profile, overrides), queries, compare=compare, html=html), as_json=as_json)
    if from_feedback and not as_json:
        click.echo(f"queries: {queries}")
    if html is not None and not as_json:
        click.echo(f"page: {html}")
    return 0
