"""The command line. Only click is imported here at once, so that `tuku --help` answers at once."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from tuku import __version__
from tuku.cli_collections import collections, rollback
from tuku.cli_errors import errors
from tuku.cli_evaluate import evaluate
from tuku.cli_lake import lake
from tuku.cli_models import models
from tuku.cli_options import budget, catalogue, common, of_failed, overridden, patience, read_config, wait_s
from tuku.cli_output import complain, fail, make_progress, show, show_proof, show_report
from tuku.cli_search import search
from tuku.cli_serve import serve
from tuku.errors import VerificationError
from tuku.runtime.interrupt import interruptible


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="tuku")
def cli() -> None:
    """Tuku (图库): turn a catalogue of images into a searchable, proven Milvus collection."""


@cli.command()
@catalogue
@budget
@patience
@common
def ingest(
    manifest: str | None,
    limit: int | None,
    shard: str | None,
    max_cost: float | None,
    max_calls: int | None,
    max_minutes: float | None,
    wait: bool,
    profile: Path | None,
    overrides: Sequence[str],
    as_json: bool,
) -> int:
    """Bring lake and Milvus up to MANIFEST: a CSV, TSV, JSONL or Parquet file, a folder or a glob."""
    from tuku.runtime.ingest import ingest as run_ingest

    options = overridden(
        manifest__uri=manifest or None,
        manifest__limit=limit,
        manifest__shard=shard,
        limits__max_cost=max_cost,
        limits__max_calls=max_calls,
        limits__max_minutes=max_minutes,
    )
    config = read_config(profile, [*overrides, *options])
    return show_report(run_ingest(config, make_progress(as_json=as_json), wait_s=wait_s(wait)), as_json=as_json)


@cli.command()
@of_failed
@budget
@patience
@common
def retry(
    reason: str | None,
    stage: str | None,
    max_cost: float | None,
    max_calls: int | None,
    max_minutes: float | None,
    wait: bool,
    profile: Path | None,
    overrides: Sequence[str],
    as_json: bool,
) -> int:
    """Run the rows again that failed in earlier runs; nothing else is looked at."""
    from tuku.runtime.ingest import retry as run_retry

    options = overridden(limits__max_cost=max_cost, limits__max_calls=max_calls, limits__max_minutes=max_minutes)
    config = read_config(profile, [*overrides, *options])
    report = run_retry(config, make_progress(as_json=as_json), reason=reason, stage=stage, wait_s=wait_s(wait))
    return show_report(report, as_json=as_json)


@cli.command()
@catalogue
@common
def plan(
    manifest: str | None,
    limit: int | None,
    shard: str | None,
    profile: Path | None,
    overrides: Sequence[str],
    as_json: bool,
) -> int:
    """Say what ingesting MANIFEST would do and cost. Writes nothing, asks no service."""
    from tuku.runtime.forecasting import forecast

    options = overridden(manifest__uri=manifest or None, manifest__limit=limit, manifest__shard=shard)
    show(forecast(read_config(profile, [*overrides, *options]), make_progress(as_json=as_json)), as_json=as_json)
    return 0


@cli.command()
@click.option("--strategy", type=click.Choice(["auto", "upsert", "rebuild"]), help="As load.strategy.")
@patience
@common
def load(strategy: str | None, wait: bool, profile: Path | None, overrides: Sequence[str], as_json: bool) -> int:
    """Load the lake into Milvus, build the index, prove it, and only then let readers see it."""
    from tuku.runtime.loading import load as run_load

    config = read_config(profile, [*overrides, *overridden(load__strategy=strategy)])
    progress = make_progress(as_json=as_json)
    try:
        loaded, proof = run_load(config, progress, wait_s=wait_s(wait))
    finally:
        progress.close()
    show_proof(proof, {"load": loaded, "verify": proof}, as_json=as_json)
    return 0


@cli.command()
@common
def verify(profile: Path | None, overrides: Sequence[str], as_json: bool) -> int:
    """Prove that what readers see is what the lake holds. Writes nothing."""
    from tuku.runtime.loading import verify as run_verify

    proof = run_verify(read_config(profile, overrides))
    show_proof(proof, {"verify": proof}, as_json=as_json)
    return 0


@cli.command()
@click.argument("run_id", required=False)
@common
def report(run_id: str | None, profile: Path | None, overrides: Sequence[str], as_json: bool) -> int:
    """Show a past run: the newest, or RUN_ID."""
    from tuku.lake import Lake
    from tuku.report import Report

    run = Lake.at(read_config(profile, overrides).lake.uri).run(run_id)
    name = f"{run.folder}/report.json"
    show(Report.from_json(run.storage.read(name), run.storage.where(name)), as_json=as_json)
    return 0


@cli.command()
@click.argument("manifest", required=False)
@common
def doctor(manifest: str | None, profile: Path | None, overrides: Sequence[str], as_json: bool) -> int:
    """Check all that a run needs, with one cheapest call to each paid model; say what to do about what is wrong."""
    from tuku.runtime.doctor import examine

    options = overridden(manifest__uri=manifest or None)
    diagnosis = examine(lambda: read_config(profile, [*overrides, *options]))
    show(diagnosis, as_json=as_json)
    return 0 if diagnosis.ok else 2


cli.add_command(collections)
cli.add_command(errors)
cli.add_command(evaluate)
cli.add_command(lake)
cli.add_command(models)
cli.add_command(rollback)
cli.add_command(search)
cli.add_command(serve)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the contract's exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(_run(given) or 0)


def _run(given: list[str]) -> int:
    try:
        with interruptible():
            code = _command(given)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except VerificationError as error:
        return complain(error.message, error.remedy, error.exit_code)  # the proof itself has been shown
    except Exception as error:  # noqa: BLE001  whatever it is, it ends in one paragraph and the contract's code
        if os.environ.get("TUKU_DEBUG"):
            traceback.print_exc()
        return fail(error, as_json="--json" in given)
    sys.stdout.flush()
    return code


def _command(given: list[str]) -> int:
    try:
        code: int = cli.main(args=given, prog_name="tuku", standalone_mode=False)
    except click.Abort as abort:
        if isinstance(abort.__cause__, KeyboardInterrupt):  # `interruptible` knows what to say of it
            raise abort.__cause__ from None
        raise
    return code
