"""What the command line says: results on stdout, for people or as one JSON object, and everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, Protocol

import click

from tuku.errors import InterruptedRunError, RowError, StoppedError, TukuError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import RenderableType

    from tuku.progress import Progress
    from tuku.report import Report, VerifySummary


_STOPPED = {StoppedError.exit_code, InterruptedRunError.exit_code}


class Result(Protocol):
    """Something that a command found out."""

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        ...

    def summary(self) -> RenderableType:
        """For people."""
        ...


def make_progress(*, as_json: bool) -> Progress:
    """On a copy of stderr: while Ray runs, what it writes to stderr itself is kept from the screen."""
    from tuku.progress import choose_progress

    screen = os.fdopen(os.dup(sys.stderr.fileno()), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    return choose_progress(screen, json=as_json)


def show(result: Result, *, as_json: bool) -> None:
    """Print what a command found out."""
    if as_json:
        print_json(result.to_dict())
        return
    from tuku.terminal import make_console

    make_console(sys.stdout).print(result.summary())


def show_report(report: Report, *, as_json: bool) -> int:
    """Print a run's report; its exit code."""
    show(report, as_json=as_json)
    if report.message and not sys.stdout.isatty():
        # Where a person or a cron mail looks for what went wrong.
        complain(report.message, "", report.exit_code)
    return report.exit_code


def show_proof(proof: VerifySummary, parts: dict[str, BaseModel], *, as_json: bool) -> None:
    """Print a proof, or for programs all the parts.

    Raises:
        VerificationError: the proof failed.
    """
    from tuku.runtime.loading import require_passed
    from tuku.terminal import printable

    if as_json:
        print_json({name: part.model_dump(mode="json") for name, part in parts.items()})
    else:
        for check in proof.checks:
            outcome = "ok    " if check.passed else "FAILED"
            click.echo(printable(f"{outcome}  {check.name}: {check.actual} (expected {check.expected})"))
    require_passed(proof)


def print_json(value: dict[str, Any]) -> None:
    """The one object on stdout."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, out of a file's name or a broken row
        text = json.dumps(value)
    click.echo(text)


def fail(error: Exception, *, as_json: bool) -> int:
    """Say what went wrong: for people on stderr, for programs as the one JSON object on stdout."""
    message, remedy, code = _explained(error)
    if as_json:
        status = "stopped" if code in _STOPPED else "failed"
        print_json({"status": status, "exit_code": code, "message": f"{message} {remedy}".strip()})
    return complain(message, remedy, code)


def complain(message: str, remedy: str, code: int) -> int:
    """One paragraph on stderr; the exit code is handed through."""
    from tuku.terminal import printable

    lines = [*message.splitlines(), *remedy.splitlines()]
    click.echo("tuku: " + "\n      ".join(printable(line) for line in lines), err=True)
    return code


def _explained(error: Exception) -> tuple[str, str, int]:
    if isinstance(error, click.Abort):
        return "Stopped.", "", 130
    if isinstance(error, click.ClickException):
        remedy = "`tuku --help` lists commands, `tuku COMMAND --help` options."
        return error.format_message(), remedy, 2
    if isinstance(error, TukuError):
        return error.message, error.remedy, error.exit_code
    if isinstance(error, RowError):
        return f"The query's picture cannot be used: {error.sentence}", "", 2
    first = (str(error).strip().splitlines() or [""])[0]
    return f"Unexpected {type(error).__name__}: {first}", "TUKU_DEBUG=1 shows where.", 1
