"""`tuku serve`."""

from __future__ import annotations

import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path

import click

from tuku.cli_options import common, overridden, read_config
from tuku.cli_output import print_json


@click.command()
@click.option("--host", help="As serve.host. [default: 127.0.0.1, this machine alone]")
@click.option("--port", type=click.IntRange(0, 65_535), help="As serve.port; 0: any that is free. [default: 8600]")
@click.option("--open", "opened", is_flag=True, help="Show the page in the browser.")
@common
def serve(
    host: str | None, port: int | None, opened: bool, profile: Path | None, overrides: Sequence[str], as_json: bool
) -> int:
    """Serve the search page and its JSON API until Ctrl-C or SIGTERM."""
    from tuku.web.packages import require_packages

    config = read_config(profile, [*overrides, *overridden(serve__host=host, serve__port=port)])
    require_packages()
    from tuku.web.server import serve as run

    def announce(address: str) -> None:
        if as_json:
            print_json({"url": address})
        else:
            click.echo(f"The search page is at {address} (the API: {address}api). Ctrl-C ends it.")
        if opened:
            # Some browsers let it wait until they are closed, and this is called where requests are answered.
            threading.Thread(target=webbrowser.open, args=(address,), name="browser", daemon=True).start()

    run(config, announce)
    return 0
