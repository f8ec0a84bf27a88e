"""`tuku errors`: which rows failed, and why."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from tuku.cli_options import common, of_failed, read_config
from tuku.cli_output import show


@click.command()
@of_failed
@click.option("--limit", type=click.IntRange(min=0), default=2, show_default=True, help="Examples of each kind.")
@click.option("--rows", is_flag=True, help="List the rows themselves, one a line.")
@common
def errors(
    reason: str | None,
    stage: str | None,
    limit: int,
    rows: bool,
    profile: Path | None,
    overrides: Sequence[str],
    as_json: bool,
) -> int:
    """List the rows that failed and have not succeeded since, by stage and code."""
    from tuku.dead_letters import DeadLetterList, DeadLetters, Selection, json_pieces, text_lines
    from tuku.lake import Lake

    lake = Lake.at(read_config(profile, overrides).lake.uri)
    letters, selection = DeadLetters.of(lake), Selection(reason, stage)
    if rows and not as_json:
        sys.stdout.writelines(text_lines(letters, selection))
        return 0
    listed = DeadLetterList.of(letters, lake.storage.uri, selection, limit)
    if rows:
        sys.stdout.writelines(json_pieces(listed, letters))
    else:
        show(listed, as_json=as_json)
    return 0
