"""The report as one HTML file that needs nothing else: no script, no request, every text escaped."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tuku import units
from tuku.report_chart import quota_charts
from tuku.terminal import printable
from tuku.uris import bare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tuku.report import Report


@dataclass(frozen=True)
class Tile:
    """One picture of the gallery.

    Attributes:
        image_jpeg: a thumbnail, JPEG; 256 px or so on its long side is plenty.
        caption: None or empty for a catalogue without captions.
        keywords: most telling first.
        uri: where the picture is.
        image_id: its key.
    """

    image_jpeg: bytes
    caption: str | None
    keywords: Sequence[str] | None
    uri: str
    image_id: str

    @property
    def source(self) -> str:
        """The thumbnail as a data URI."""
        return "data:image/jpeg;base64," + base64.b64encode(self.image_jpeg).decode()


@dataclass(frozen=True)
class ErrorExample:
    """One row that failed; `row_number` counts from 1, the first row after the header."""

    uri: str | None
    message: str | None
    row_number: int | None


def render_report(report: Report, gallery: Sequence[Tile], examples: Mapping[str, Sequence[ErrorExample]]) -> str:
    """The whole page.

    Args:
        report: what the run did.
        gallery: pictures to show, in order.
        examples: a few failed rows for each error code.
    """
    style = files("tuku").joinpath("templates/report.css").read_text(encoding="utf-8")
    counts = {code: report.errors.get(code, len(rows)) for code, rows in examples.items()} | report.errors
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            # Our own file, and the browser checks it against the hash in the policy.
            style=Markup(style),  # noqa: S704
            policy=_policy(style),
            errors=sorted(counts.items(), key=lambda item: (-item[1], item[0])),
            charts=quota_charts(report.quota),
            examples=examples,
            gallery=gallery,
        )
    )


def _policy(style: str) -> str:
    """Content-Security-Policy: pictures from this file, this one style sheet, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@lru_cache(maxsize=1)
def _environment() -> Environment:
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
