"""`tuku lake`: what the lake holds, and keeping it small."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuku.cli_options import common, patience, read_config, wait_s
from tuku.cli_output import make_progress, show
from tuku.errors import StorageError

if TYPE_CHECKING:
    from tuku.config import LakeConfig
    from tuku.housekeeping import Steps
    from tuku.lake import Lake


@click.group(invoke_without_command=True)
@common
@click.pass_context
def lake(context: click.Context, profile: Path | None, overrides: Sequence[str], as_json: bool) -> int:
    """Show what the lake holds, and what of it could go."""
    if context.invoked_subcommand is not None:
        if profile or overrides or as_json:
            raise click.UsageError(f"Options go behind the command: tuku lake {context.invoked_subcommand} …")
        return 0
    from tuku.housekeeping import Overview
    from tuku.lake import Lake

    config = read_config(profile, overrides).lake
    show(Overview.of(Lake.at(config.uri), config), as_json=as_json)
    return 0


@lake.command()
@click.option("--all", "everything", is_flag=True, help="All runs, rather than those that are worth it.")
@patience
@common
def compact(everything: bool, wait: bool, profile: Path | None, overrides: Sequence[str], as_json: bool) -> int:
    """Copy the images of many small files into few large ones (lake.part_mb). Milvus is not concerned."""
    from tuku.housekeeping import run_compaction

    with _at_work("tuku lake compact", profile, overrides, wait=wait, as_json=as_json) as (at, config, steps):
        done = run_compaction(at, config, steps, everything=everything)
    show(done, as_json=as_json)
    return 0


@lake.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@patience
@common
def vacuum(dry_run: bool, wait: bool, profile: Path | None, overrides: Sequence[str], as_json: bool) -> int:
    """Remove what nothing needs any more (lake.keep_days, lake.keep_runs_days; docs/lake.md)."""
    from tuku.housekeeping import run_vacuum

    with _at_work("tuku lake vacuum", profile, overrides, wait=wait, as_json=as_json) as (at, config, steps):
        done = run_vacuum(at, config, steps, dry_run=dry_run)
    show(done, as_json=as_json)
    return 0


@contextmanager
def _at_work(
    command: str, profile: Path | None, overrides: Sequence[str], *, wait: bool, as_json: bool
) -> Iterator[tuple[Lake, LakeConfig, Steps]]:
    """Nobody else works on the lake within the block."""
    from tuku.housekeeping import Steps
    from tuku.lake import Lake

    config = read_config(profile, overrides).lake
    at = Lake.at(config.uri)
    if not at.storage.exists("runs"):
        raise StorageError(f"There is no lake at {at.storage.uri}.", "Check lake.uri; `tuku ingest` makes one.")
    progress = make_progress(as_json=as_json)
    try:
        with at.exclusive(wait_s(wait), command=command, on_wait=partial(progress.phase, "wait")) as lease:
            yield at, config, Steps(lease.require, progress.phase)
    finally:
        progress.close()
