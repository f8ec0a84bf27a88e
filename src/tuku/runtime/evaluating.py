"""`tuku evaluate`: labelled queries against the collection that readers see, and against another one beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from PIL import Image

from tuku.config import Config
from tuku.errors import ConfigError
from tuku.lake import Lake
from tuku.lake_view import LakeView
from tuku.runtime.retrieving import MilvusRetriever
from tuku.runtime.searching import open_searcher
from tuku.runtime.thumbnails import thumbnails
from tuku.search.evaluate import BOTH, Answered, Evaluation, evaluate
from tuku.search.evaluation_page import render_evaluation
from tuku.search.evaluation_summary import evaluation_summary
from tuku.search.feedback import labelled_lines, read_clicks
from tuku.search.quality import K
from tuku.search.query import Query
from tuku.search.query_file import Labelled, open_lines, read_queries
from tuku.search.results import Result
from tuku.search.searcher import Searcher
from tuku.storage import DiskStorage

if TYPE_CHECKING:
    from rich.console import RenderableType

_MISSES = 10
_SHOWN = 5
_TILE_PX = 160


@dataclass(frozen=True)
class Evaluated:
    """What came out, of the collection that readers see and perhaps of another."""

    evaluations: Sequence[Evaluation]

    def to_dict(self) -> dict[str, Any]:
        """As in `evaluate --json`; the other collection under ``compared``."""
        first, *others = (evaluation.to_dict() for evaluation in self.evaluations)
        return {**first, "compared": others[0]} if others else first

    def summary(self) -> RenderableType:
        """Tables for a terminal."""
        return evaluation_summary(self.evaluations)


def evaluate_file(config: Config, file: Path, *, compare: str | None = None, html: Path | None = None) -> Evaluated:
    """Ask every query of a file in every way.

    Args:
        config: the configuration.
        file: labelled queries, JSONL; ``-`` for stdin.
        compare: another collection behind the same alias (`tuku collections`), of the same vector space.
        html: where to write a page with examples of misses.

    Raises:
        ConfigError: the file cannot be read or has no query, or there is no such collection.
        TukuError: as `open_searcher` and `Searcher.search`.
        RowError: a query's picture cannot be had.
    """
    with open_lines(file) as lines:
        queries = list(read_queries(lines, str(file), Query(), labelled=True))
    if not queries:
        raise ConfigError(f"{file} has no query.", 'A line is such as {"text": "a cat", "relevant": ["id-1"]}.')
    with open_searcher(config) as searcher:
        searchers = {config.milvus.collection: searcher}
        if compare is not None:
            searchers[compare] = _other(searcher, compare)
        evaluations = evaluate(searchers, queries)
        for evaluation, each in zip(evaluations, searchers.values(), strict=True):
            evaluation.notes += _missing(each, queries)
            _look_exactly(evaluation, each, config)
        if html is not None:
            page = render_evaluation(
                evaluations, _MISSES, searcher.retriever.images, partial(_pictures, searcher, config)
            )
            DiskStorage(html.parent).write(html.name, page.encode())
    return Evaluated(evaluations)


def write_feedback(config: Config, file: Path) -> int:
    """Write labelled queries of what people searched for and then clicked on; how many.

    Args:
        config: `lake.uri` says where the clicks are.
        file: is replaced.

    Raises:
        ConfigError: there are no clicks on the results of a text.
    """
    lines = labelled_lines(read_clicks(Lake.at(config.lake.uri).storage))
    if not lines:
        raise ConfigError(
            f"No clicks on the results of a text are recorded in {config.lake.uri}.",
            "`tuku serve` records them; a search by a picture alone cannot be asked again.",
        )
    DiskStorage(file.parent).write(file.name, "".join(f"{line}\n" for line in lines).encode())
    return len(lines)


def _other(searcher: Searcher, name: str) -> Searcher:
    """A searcher over another collection, with the index that it has."""
    from tuku.milvus.index import index_of
    from tuku.milvus.reader import require_readable, require_searchable

    model, retriever = searcher.encoder.embedder.description, _milvus(searcher)
    config = retriever.config.model_copy(update={"collection": name})
    index = index_of(retriever.client, require_readable(retriever.client, config), config)
    config = config.model_copy(update={"index": index})
    require_searchable(retriever.client, config, model.name, model.dim or 0)
    return replace(searcher, retriever=MilvusRetriever(retriever.client, config, retriever.search))


def _milvus(searcher: Searcher) -> MilvusRetriever:
    """As `open_searcher` made it."""
    return cast("MilvusRetriever", searcher.retriever)


def _missing(searcher: Searcher, queries: Sequence[Labelled]) -> list[str]:
    """A relevant image that is not in the collection can never be found."""
    wanted = dict.fromkeys(image_id for each in queries for image_id in each.relevant)
    there = searcher.retriever.images(list(wanted))
    missing = [image_id for image_id in wanted if image_id not in there]
    if not missing:
        return []
    shown = ", ".join(missing[:_SHOWN]) + (" …" if len(missing) > _SHOWN else "")
    return [f"{len(missing):,} of {len(wanted):,} relevant images are not in the collection: {shown}"]


def _look_exactly(evaluation: Evaluation, searcher: Searcher, config: Config) -> None:
    """What the index misses of what an exact search over the lake finds, filters aside."""
    from tuku.milvus.collection import count
    from tuku.milvus.recall import Probe, exact_pass

    retriever = _milvus(searcher)
    lake = Lake.at(config.lake.uri)
    view = LakeView.of_one_space(lake) if lake.stamp() is not None else None
    if view is None or view.rows() != count(retriever.client, retriever.config.collection):
        evaluation.notes.append("No ANN recall: the lake does not hold the same rows as the collection.")
        return
    probes = {
        mode: Probe(
            mode,
            f"{mode.rpartition('-')[2]}_embedding",
            np.stack([each.vector for each in answered]),
            [_nearest(searcher, each, mode) for each in answered],
        )
        for mode, answered in evaluation.answered.items()
        if mode != BOTH
    }
    dim = len(next(iter(probes.values())).queries[0])
    fields = {probe.vectors for probe in probes.values()}
    batches = view.batches(["image_id", *fields])
    exact_pass(list(probes.values()), batches, dict.fromkeys(fields, dim), retriever.config.index.metric)
    evaluation.ann_recall = {mode: probe.recall() for mode, probe in probes.items()}


def _nearest(searcher: Searcher, answered: Answered, mode: str) -> list[str]:
    """The ids that the index finds without the query's filter."""
    if answered.labelled.query.where is None:
        return [result.id for result in answered.results]
    field = f"{mode.rpartition('-')[2]}_embedding"
    return [result.id for result in searcher.retriever.nearest(field, [answered.vector], K, None)[0]]


def _pictures(searcher: Searcher, config: Config, results: Sequence[Result]) -> list[Image.Image | None]:
    return thumbnails([result.uri for result in results], searcher.encoder.fetcher, config.decode, _TILE_PX)
