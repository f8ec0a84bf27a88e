"""report.json and report.html, with a gallery of what was ingested and examples of what failed."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tuku.config import Config
from tuku.errors import TukuError
from tuku.imaging import encode_jpeg
from tuku.lake import Lake, Run, read_rows
from tuku.report import Report
from tuku.report_html import ErrorExample, Tile, render_report
from tuku.runtime.thumbnails import thumbnails

_log = logging.getLogger(__name__)
_THUMBNAIL_PX = 256
_GALLERY_COLUMNS = ["image_id", "uri", "caption", "keywords"]


def write_report(report: Report, run: Run, lake: Lake, config: Config) -> Report:
    """Write both files into the run's folder.

    Returns:
        The report, with the paths of what was written. A report that cannot be written is a warning: the disk may
        be what is full.
    """
    paths = {
        "lake": lake.storage.uri,
        "report": run.storage.where(f"{run.folder}/report.html"),
        "report_json": run.storage.where(f"{run.folder}/report.json"),
    }
    complete = report.model_copy(update={"paths": paths})
    try:
        run.write_text("report.json", complete.to_json())
    except TukuError as error:
        _log.warning("The report could not be written: %s", error)
        return report
    try:
        run.write_text("report.html", render_report(complete, _gallery(run, config), _examples(run, config)))
    except Exception as error:  # noqa: BLE001  the run is over and well reported; its picture book must not undo that
        _log.warning("report.html could not be written: %s", error)
    return complete


def _gallery(run: Run, config: Config) -> list[Tile]:
    """Pictures of this run. One that changed nothing has none: its report must not fetch what the run did not."""
    from tuku.fetching import GuardedFetcher

    rows = list(_first_rows(run, config.report.gallery))
    with GuardedFetcher(config.fetch) as fetcher:
        pictures = thumbnails([row["uri"] for row in rows], fetcher, config.decode, _THUMBNAIL_PX)
    return [
        Tile(encode_jpeg(picture), row["caption"], row["keywords"], row["uri"], row["image_id"])
        for row, picture in zip(rows, pictures, strict=True)
        if picture is not None
    ]


def _first_rows(run: Run, limit: int) -> Iterator[dict[str, Any]]:
    for name in run.parts():
        for table in read_rows(run.storage, name, _GALLERY_COLUMNS):
            yield from table.slice(0, limit).to_pylist()
            limit -= min(limit, table.num_rows)
            if limit == 0:
                return


def _examples(run: Run, config: Config) -> dict[str, list[ErrorExample]]:
    examples: dict[str, list[ErrorExample]] = defaultdict(list)
    for name in run.errors():
        for table in read_rows(run.storage, name, ["uri", "code", "message", "row_number"]):
            for row in table.to_pylist():
                if len(examples[row["code"]]) < config.report.examples:
                    examples[row["code"]].append(ErrorExample(row["uri"], row["message"], row["row_number"]))
    return examples
