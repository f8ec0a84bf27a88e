"""`tuku collections` and `tuku rollback`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from tuku.cli_options import common, patience, read_config, wait_s
from tuku.cli_output import make_progress, show


@click.command()
@common
def collections(profile: Path | None, overrides: Sequence[str], as_json: bool) -> int:
    """List the collections behind the alias: run, rows, index, vector space, and which one readers see."""
    from tuku.runtime.shelf import list_collections

    show(list_collections(read_config(profile, overrides)), as_json=as_json)
    return 0


@click.command()
@click.option("--to", metavar="COLLECTION", help="Rather than the one before; `tuku collections` lists them.")
@patience
@common
def rollback(to: str | None, wait: bool, profile: Path | None, overrides: Sequence[str], as_json: bool) -> int:
    """Point the alias back at the collection that readers saw before."""
    from tuku.runtime.shelf import roll_back

    config = read_config(profile, overrides)
    progress = make_progress(as_json=as_json)
    try:
        done = roll_back(config, progress, to, wait_s=wait_s(wait))
    finally:
        progress.close()
    show(done, as_json=as_json)
    return 0
