"""`tuku evaluate`: labelled queries against the collection that readers see, and against another one beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from tuku.config import Config
from tuku.errors import ConfigError
from tuku.lake import Lake
from tuku.output_file import require_output, write_output
from tuku.protocols import Usage
from tuku.runtime.ann_recall import look_exactly
from tuku.runtime.comparing import milvus_of, open_searchers
from tuku.runtime.feedback_queries import FeedbackQueries
from tuku.runtime.thumbnails import thumbnails
from tuku.search.evaluate import Evaluation, evaluate, misfit
from tuku.search.evaluation_page import render_evaluation
from tuku.search.evaluation_summary import evaluation_summary
from tuku.search.query import Query
from tuku.search.query_file import Labelled, open_lines, read_queries
from tuku.search.results import Result
from tuku.search.searcher import Searcher

if TYPE_CHECKING:
    from rich.console import RenderableType

_MISSES = 10
_SHOWN = 5
_TILE_PX = 160


@dataclass(frozen=True)
class Evaluated:
    """What came out, of the collection that readers see and perhaps of another.

    Attributes:
        evaluations: of one collection each.
        usage: what encoding the queries took.
    """

    evaluations: Sequence[Evaluation]
    usage: Usage

    def to_dict(self) -> dict[str, Any]:
        """As in `evaluate --json`; the other collection under ``compared``."""
        first, *others = (evaluation.to_dict() for evaluation in self.evaluations)
        return {**first, "compared": others[0]} if others else first

    def summary(self) -> RenderableType:
        """Tables for a terminal."""
        return evaluation_summary(self.evaluations, self.usage)


def evaluate_file(config: Config, file: Path, *, compare: str | None = None, html: Path | None = None) -> Evaluated:
    """Ask every query of a file in every way.

    Args:
        config: the configuration.
        file: labelled queries, JSONL; ``-`` for stdin.
        compare: another collection behind the same alias (`tuku collections`), of the same vector space.
        html: where to write a page with examples of misses.

    Raises:
        ConfigError: the file cannot be read or has no query, or there is no such collection; or one of its queries
            cannot be asked, and the message names the line. Filters are checked before anything is paid.
        TukuError: as `open_searcher` and `Searcher.search`.
    """
    if html is not None:
        require_output(html, file)
    with open_lines(file) as lines:
        queries = list(read_queries(lines, str(file), Query(), labelled=True))
    if not queries:
        raise ConfigError(f"{file} has no query.", 'A line is such as {"text": "a cat", "relevant": ["id-1"]}.')
    with open_searchers(config, compare) as searchers:
        for each in queries:
            fault = misfit(searchers.values(), each.query)
            if fault is not None:
                raise each.blamed(fault)
        return _evaluated(config, searchers, queries, html)


def evaluate_feedback(config: Config, file: Path, *, compare: str | None = None, html: Path | None = None) -> Evaluated:
    """Write labelled queries of what people searched for and then clicked on, and ask them as `evaluate_file` does.

    Anybody who reaches the page can record a click, and columns of a catalogue change: a query that no longer fits
    the collections is left out, and a note says how many are.

    Args:
        config: `lake.uri` says where the clicks are.
        file: does not exist yet.
        compare: as for `evaluate_file`.
        html: likewise.

    Raises:
        ConfigError: `file` exists, or there are no clicks on the results of a text, or none that fits.
        TukuError: as `evaluate_file`.
    """
    if html is not None:
        require_output(html, file)
    feedback = FeedbackQueries.of(Lake.at(config.lake.uri).storage, file)
    with open_searchers(config, compare) as searchers:
        queries, notes = feedback.written(lambda query: misfit(searchers.values(), query))
        return _evaluated(config, searchers, queries, html, notes)


def _evaluated(
    config: Config,
    searchers: dict[str, Searcher],
    queries: Sequence[Labelled],
    html: Path | None,
    notes: Sequence[str] = (),
) -> Evaluated:
    first = next(iter(searchers.values()))
    evaluations = evaluate(searchers, queries)
    evaluations[0].notes += notes
    for evaluation, searcher in zip(evaluations, searchers.values(), strict=True):
        evaluation.notes += _missing(searcher, queries)
        look_exactly(evaluation, milvus_of(searcher), Lake.at(config.lake.uri))
    if html is not None:
        page = render_evaluation(evaluations, _MISSES, first.retriever.images, partial(_pictures, first, config))
        write_output(html, page.encode())
    return Evaluated(evaluations, first.encoder.embedder.take_usage())


def _missing(searcher: Searcher, queries: Sequence[Labelled]) -> list[str]:
    """A relevant image that is not in the collection can never be found."""
    wanted = dict.fromkeys(image_id for each in queries for image_id in each.relevant)
    there = searcher.retriever.images(list(wanted))
    missing = [image_id for image_id in wanted if image_id not in there]
    if not missing:
        return []
    shown = ", ".join(missing[:_SHOWN]) + (" …" if len(missing) > _SHOWN else "")
    return [f"{len(missing):,} of {len(wanted):,} relevant images are not in the collection: {shown}"]


def _pictures(searcher: Searcher, config: Config, results: Sequence[Result]) -> list[Image.Image | None]:
    return thumbnails([result.uri for result in results], searcher.encoder.fetcher, config.decode, _TILE_PX)
