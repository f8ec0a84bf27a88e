"""Pages that need nothing else: templates in which every text is escaped, and a policy that lets nothing in."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tuku import units
from tuku.terminal import printable
from tuku.uris import bare


def style_and_policy(name: str) -> tuple[Markup, str]:
    """One of our style sheets, and a Content-Security-Policy: pictures from the file, this one sheet, nothing else."""
    style = files("tuku").joinpath(f"templates/{name}").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    # Our own file, and the browser checks it against the hash in the policy.
    return Markup(style), policy  # noqa: S704


def jpeg_source(jpeg: bytes) -> str:
    """A JPEG file as what an ``img`` shows without asking anybody."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


@lru_cache(maxsize=1)
def page_environment() -> Environment:
    """Templates and their filters."""
    environment = Environment(
        loader=PackageLoader("tuku"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        shown=lambda text: printable(text or ""),
        place=lambda uri: printable(bare(uri or "")),  # the file is passed on: no credentials, no signatures
        count=lambda number: f"{number:,}",
        duration=units.duration,
        rate=units.rate,
        money=units.money,
        measured=units.value,
        share=lambda percent: f"{percent:.2f}%",
        percent=lambda part, whole: f"{100 * part / whole:.2f}%" if whole else "0%",
    )
    return environment
