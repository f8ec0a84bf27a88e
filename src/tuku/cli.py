"""The command line. Only click is imported here at once, so that `tuku --help` answers at once."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from tuku import __version__
from tuku.errors import RowError, TukuError, VerificationError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from tuku.config import Config
    from tuku.progress import Progress
    from tuku.report import Report, VerifySummary

_DEFAULT_PROFILE = Path("conf/local.yaml")
_Command = TypeVar("_Command", bound=Callable[..., Any])


def _options(command: _Command) -> _Command:
    """The options that every command takes."""
    config = click.option(
        "--config", "profile", type=click.Path(path_type=Path), help="Profile (default: conf/local.yaml)."
    )
    overrides = click.option(
        "--set", "overrides", multiple=True, metavar="SECTION.KEY=VALUE", help="Override a key; repeatable."
    )
    as_json = click.option("--json", "as_json", is_flag=True, help="Exactly one JSON object on stdout.")
    return config(overrides(as_json(command)))


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="tuku")
def cli() -> None:
    """Tuku (图库): turn a catalogue of images into a searchable, proven Milvus collection."""


@cli.command()
@click.argument("manifest", required=False)
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N rows of the manifest.")
@_options
def ingest(
    manifest: str | None, limit: int | None, profile: Path | None, overrides: Sequence[str], as_json: bool
) -> int:
    """Bring lake and Milvus up to MANIFEST: a CSV, TSV, JSONL or Parquet file, a folder or a glob."""
    from tuku.runtime.ingest import ingest as run_ingest

    config = _load(profile, [*overrides, *_manifest_overrides(manifest, limit)])
    report = run_ingest(config, _progress(as_json=as_json))
    _show_report(report, as_json=as_json)
    if report.message and not sys.stdout.isatty():
        # Where a person or a cron mail looks for what went wrong.
        _complain(report.message, "", report.exit_code)
    return report.exit_code


@cli.command()
@click.option("--strategy", type=click.Choice(["auto", "upsert", "rebuild"]), help="As load.strategy.")
@_options
def load(strategy: str | None, profile: Path | None, overrides: Sequence[str], as_json: bool) -> int:
    """Load the lake into Milvus, build the index, prove it, and only then let readers see it."""
    from tuku.runtime.loading import load as run_load

    config = _load(profile, [*overrides, *([f"load.strategy={strategy}"] if strategy else [])])
    progress = _progress(as_json=as_json)
    try:
        loaded, proof = run_load(config, progress)
    finally:
        progress.close()
    return _show_proof(proof, {"load": loaded, "verify": proof}, as_json=as_json)


@cli.command()
@_options
def verify(profile: Path | None, overrides: Sequence[str], as_json: bool) -> int:
    """Prove that what readers see is what the lake holds. Writes nothing."""
    from tuku.runtime.loading import verify as run_verify

    proof = run_verify(_load(profile, overrides))
    return _show_proof(proof, {"verify": proof}, as_json=as_json)


@cli.command()
@click.argument("text", required=False)
@click.option("--image", help="Search with a picture: a path or a URL.")
@click.option("--in", "target", type=click.Choice(["image", "text"]), default="image", help="Which vectors to search.")
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True)
@click.option("--grid", type=click.Path(path_type=Path, dir_okay=False), help="Write the results as a picture (PNG).")
@_options
def search(
    text: str | None,
    image: str | None,
    target: Literal["image", "text"],
    limit: int,
    grid: Path | None,
    profile: Path | None,
    overrides: Sequence[str],
    as_json: bool,
) -> int:
    """Find images by TEXT or by a picture, in the pictures or in their captions."""
    from tuku.runtime.searching import search as run_search
    from tuku.search.results import Query

    query = Query(text=text, image=image, target=target, limit=limit)
    answer = run_search(_load(profile, overrides), query, grid)
    if as_json:
        _print_json(answer.to_dict())
        return 0
    from tuku.terminal import make_console, results_table

    make_console(sys.stdout).print(results_table(answer.results))
    if grid is not None:
        click.echo(f"grid: {grid}")
    return 0


@cli.command()
@click.argument("run_id", required=False)
@_options
def report(run_id: str | None, profile: Path | None, overrides: Sequence[str], as_json: bool) -> int:
    """Show a past run: the newest, or RUN_ID."""
    from tuku.lake import Lake
    from tuku.report import Report

    run = Lake.at(_load(profile, overrides).lake.uri).run(run_id)
    name = f"{run.folder}/report.json"
    past = Report.from_json(run.storage.read(name), str(run.storage.path(name)))
    _show_report(past, as_json=as_json)
    return 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the contract's exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(_run(given) or 0)


def _run(given: list[str]) -> int:
    try:
        code: int = cli.main(args=given, prog_name="tuku", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except VerificationError as error:
        return _complain(error.message, error.remedy, error.exit_code)  # the proof itself has been shown
    except Exception as error:
        if os.environ.get("TUKU_DEBUG"):
            raise
        return _fail(error, as_json="--json" in given)
    except KeyboardInterrupt:
        return _complain("Stopped by SIGINT.", "", 130)
    sys.stdout.flush()
    return code


def _fail(error: Exception, *, as_json: bool) -> int:
    """Say what went wrong: for people on stderr, for programs as the one JSON object on stdout."""
    if isinstance(error, click.Abort):
        message, remedy, code = "Stopped.", "", 130
    elif isinstance(error, click.ClickException):
        message, remedy, code = (
            error.format_message(),
            "`tuku --help` lists commands, `tuku COMMAND --help` options.",
            2,
        )
    elif isinstance(error, TukuError):
        message, remedy, code = error.message, error.remedy, error.exit_code
    elif isinstance(error, RowError):
        message, remedy, code = f"The query's picture cannot be used: {error}", "", 2
    else:
        first = (str(error).strip().splitlines() or [""])[0]
        message, remedy, code = f"Unexpected {type(error).__name__}: {first}", "TUKU_DEBUG=1 shows where.", 1
    if as_json:
        _print_json({"status": "failed", "exit_code": code, "message": f"{message} {remedy}".strip()})
    return _complain(message, remedy, code)


def _load(profile: Path | None, overrides: Sequence[str]) -> Config:
    from tuku.config_load import load_config

    if profile is None and _DEFAULT_PROFILE.exists():
        profile = _DEFAULT_PROFILE
    return load_config(profile, overrides, os.environ)


def _progress(*, as_json: bool) -> Progress:
    """On a copy of stderr: while Ray runs, what it writes to stderr itself is kept from the screen."""
    from tuku.progress import choose_progress

    screen = os.fdopen(os.dup(sys.stderr.fileno()), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    return choose_progress(screen, json=as_json)


def _manifest_overrides(manifest: str | None, limit: int | None) -> list[str]:
    overrides = [f"manifest.uri={json.dumps(manifest, ensure_ascii=False)}"] if manifest else []
    return [*overrides, f"manifest.limit={limit}"] if limit else overrides


def _show_report(report: Report, *, as_json: bool) -> None:
    if as_json:
        _print_json(report.to_dict())
        return
    from tuku.terminal import make_console

    make_console(sys.stdout).print(report.summary())


def _show_proof(proof: VerifySummary, parts: dict[str, BaseModel], *, as_json: bool) -> int:
    from tuku.runtime.loading import require_passed
    from tuku.terminal import printable

    if as_json:
        _print_json({name: part.model_dump(mode="json") for name, part in parts.items()})
    else:
        for check in proof.checks:
            outcome = "ok    " if check.passed else "FAILED"
            click.echo(printable(f"{outcome}  {check.name}: {check.actual} (expected {check.expected})"))
    require_passed(proof)
    return 0


def _print_json(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value, ensure_ascii=False))


def _complain(message: str, remedy: str, code: int) -> int:
    from tuku.terminal import printable

    lines = [*message.splitlines(), *remedy.splitlines()]
    click.echo("tuku: " + "\n      ".join(printable(line) for line in lines), err=True)
    return code
