"""The options of the command line, and the configuration that comes of them."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from tuku.config import Config

_DEFAULT_PROFILE = Path("conf/local.yaml")
STAGES = ("manifest", "plan", "fetch", "decode", "caption", "embed")
"""The stages at which a row can fail."""
_Command = TypeVar("_Command", bound=Callable[..., Any])


def common(command: _Command) -> _Command:
    """The options that every command takes."""
    config = click.option(
        "--config", "profile", type=click.Path(path_type=Path), help="Profile (default: conf/local.yaml)."
    )
    overrides = click.option(
        "--set", "overrides", multiple=True, metavar="SECTION.KEY=VALUE", help="Override a key; repeatable."
    )
    as_json = click.option("--json", "as_json", is_flag=True, help="Exactly one JSON object on stdout.")
    return config(overrides(as_json(command)))


def catalogue(command: _Command) -> _Command:
    """What a catalogue is named by, and how much of it is read."""
    manifest = click.argument("manifest", required=False)
    limit = click.option("--limit", type=click.IntRange(min=1), help="Only the first N rows of the manifest.")
    shard = click.option("--shard", metavar="I/N", help="Only the Ith of N parts of the manifest, by the rows' ids.")
    return manifest(limit(shard(command)))


def budget(command: _Command) -> _Command:
    """Where a run stops; the same command then goes on from there."""
    cost = click.option(
        "--max-cost", type=click.FloatRange(min=0), callback=_finite, help="Stop before so much money is spent."
    )
    calls = click.option("--max-calls", type=click.IntRange(min=0), help="Stop after so many calls.")
    minutes = click.option(
        "--max-minutes",
        type=click.FloatRange(min=0, min_open=True),
        callback=_finite,
        help="Stop after so many minutes.",
    )
    return cost(calls(minutes(command)))


def _finite(_context: click.Context, _option: click.Parameter, value: float | None) -> float | None:
    """Neither NaN, which click lets through any range, nor infinity, which limits nothing."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is no number that a run can be held to; leave the option out for no limit.")
    return value


def of_failed(command: _Command) -> _Command:
    """Which of the rows that failed."""
    reason = click.option("--reason", metavar="CODE", help="Only rows that failed with this code (see `tuku errors`).")
    stage = click.option("--stage", type=click.Choice(STAGES), help="Only rows that failed at this stage.")
    return reason(stage(command))


def patience(command: _Command) -> _Command:
    """Whether to wait for another run on the same lake."""
    wait = click.option(
        "--wait", is_flag=True, help="If another run works on the lake, wait until it has ended instead of refusing."
    )
    return wait(command)


def wait_s(wait: bool) -> float | None:
    """The option as a number of seconds; None: not at all."""
    return math.inf if wait else None


def overridden(**values: str | float | None) -> list[str]:
    """Options as overrides of configuration keys.

    Args:
        values: by key, a double underscore for its dot; None for an option that was not given.
    """
    given = {name.replace("__", "."): value for name, value in values.items() if value is not None}
    return [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in given.items()]


def read_config(profile: Path | None, overrides: Sequence[str]) -> Config:
    """The configuration of a command.

    Raises:
        ConfigError: naming every mistake in it.
    """
    from tuku.config_load import load_config

    if profile is None and _DEFAULT_PROFILE.exists():
        profile = _DEFAULT_PROFILE
    return load_config(profile, overrides, os.environ)
