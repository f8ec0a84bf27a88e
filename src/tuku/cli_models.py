"""`tuku models`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from tuku.cli_options import common, read_config
from tuku.cli_output import show


@click.command()
@common
def models(profile: Path | None, overrides: Sequence[str], as_json: bool) -> int:
    """List the models that are known: provider, vectors, size, languages, licence."""
    from tuku.runtime.known_models import list_models

    read_config(profile, overrides)  # what is wrong in it is said by every command
    show(list_models(), as_json=as_json)
    return 0
