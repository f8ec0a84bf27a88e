"""The report as one HTML file that needs nothing else: no script, no request, every text escaped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuku.html import jpeg_source, page_environment, style_and_policy
from tuku.report_chart import quota_charts

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
        return jpeg_source(self.image_jpeg)


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
    style, policy = style_and_policy("report.css")
    counts = {code: report.errors.get(code, len(rows)) for code, rows in examples.items()} | report.errors
    return (
        page_environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            style=style,
            policy=policy,
            errors=sorted(counts.items(), key=lambda item: (-item[1], item[0])),
            charts=quota_charts(report.quota),
            examples=examples,
            gallery=gallery,
        )
    )
