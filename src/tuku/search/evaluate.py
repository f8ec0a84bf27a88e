"""How well a collection answers labelled queries, in every way in which they can be asked."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tuku.errors import ConfigError, RowError
from tuku.protocols import Vector
from tuku.search.asked import understood
from tuku.search.quality import K, Quality, percentile
from tuku.search.query import Query, Target
from tuku.search.query_file import Labelled
from tuku.search.results import Result
from tuku.search.searcher import Searcher

BOTH = "both"
_PERCENTILES = {"p50": 0.5, "p95": 0.95}
_GIVEN = {(True, False): "text", (False, True): "image", (True, True): "text+image"}


@dataclass(frozen=True)
class Answered:
    """One labelled query, asked in one way.

    Attributes:
        labelled: with what is relevant.
        vector: of the query, float32 (dim,).
        results: at most `K`, best first.
        quality: of the results.
        latency_ms: of encoding and retrieving.
    """

    labelled: Labelled
    vector: Vector = field(repr=False)
    results: tuple[Result, ...]
    quality: Quality
    latency_ms: float


@dataclass
class Evaluation:
    """What was found out of one collection.

    Attributes:
        collection: its name or alias.
        answered: by mode, such as ``text-to-image``: each query that can be asked so.
        ann_recall: by mode: share of the exactly nearest 10 that the index found; empty where nobody looked.
        notes: what people should know of it.
    """

    collection: str
    answered: dict[str, list[Answered]] = field(default_factory=dict)
    ann_recall: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """As in `evaluate --json`."""
        latencies = [each.latency_ms for answered in self.answered.values() for each in answered]
        return {
            "collection": self.collection,
            "modes": {
                mode: {"queries": len(answered), **Quality.mean([each.quality for each in answered]).to_dict()}
                for mode, answered in self.answered.items()
            },
            "ann_recall@10": {mode: round(recall, 6) for mode, recall in self.ann_recall.items()},
            "latency_ms": {name: round(percentile(latencies, share), 3) for name, share in _PERCENTILES.items()},
            "notes": self.notes,
        }

    def misses(self, mode: str, most: int) -> list[Answered]:
        """The queries that lack a relevant image among their results, worst first, at most so many."""
        missed = [each for each in self.answered[mode] if each.quality.recall_10 < 1]
        return sorted(missed, key=lambda each: (each.quality.ndcg_10, each.quality.mrr))[:most]


def mode_of(query: Query, target: Target) -> str:
    """What a query gives and where it looks, as in `evaluate --json`: ``text-to-image``, … or ``both``."""
    return BOTH if target == "both" else f"{_GIVEN[bool(query.text), bool(query.image)]}-to-{target}"


def targets(vectors: Sequence[Target]) -> list[Target]:
    """The ways in which a collection with these vectors can be searched."""
    return [*vectors, *([BOTH] if len(vectors) > 1 else [])]  # type: ignore[list-item]


def misfit(searchers: Iterable[Searcher], query: Query) -> ConfigError | None:
    """Why one of the collections cannot be asked a query, by what it says and filters by; None if all can.

    Raises:
        MilvusError: a collection did not answer.
    """
    try:
        query.require_sense()
        for searcher in searchers:
            understood(query, searcher.retriever)
    except ConfigError as error:
        return error
    return None


def evaluate(searchers: dict[str, Searcher], queries: Sequence[Labelled]) -> list[Evaluation]:
    """Ask every query in every way, one at a time, as a person would; each is encoded once.

    Args:
        searchers: by the name of the collection, all of one vector space.
        queries: with their relevant ids.

    Raises:
        ConfigError: a query makes no sense, does not fit a collection or is refused by the model, or its picture
            cannot be had; the message names its place.
        TukuError: otherwise as `Searcher.search`.
    """
    evaluations = [Evaluation(name) for name in searchers]
    for labelled in queries:
        try:
            _ask(searchers, labelled, evaluations)
        except (ConfigError, RowError) as error:
            raise labelled.blamed(error) from error
    return evaluations


def _ask(searchers: dict[str, Searcher], labelled: Labelled, evaluations: Sequence[Evaluation]) -> None:
    first = next(iter(searchers.values()))
    started = time.perf_counter()
    [vector] = first.encoder.encode([labelled.query])
    encode_ms = (time.perf_counter() - started) * 1_000
    for evaluation, searcher in zip(evaluations, searchers.values(), strict=True):
        for mode, answered in _asked(searcher, labelled, vector, encode_ms):
            evaluation.answered.setdefault(mode, []).append(answered)


def _asked(searcher: Searcher, labelled: Labelled, vector: Vector, encode_ms: float) -> Iterator[tuple[str, Answered]]:
    for target in targets(searcher.config.milvus.vectors):
        query = replace(labelled.query, target=target, limit=K)
        started = time.perf_counter()
        [answer] = searcher.search_vectors([query], [vector])
        latency_ms = encode_ms + (time.perf_counter() - started) * 1_000
        quality = Quality.of([result.id for result in answer.results], labelled.relevant)
        yield mode_of(query, target), Answered(labelled, vector, answer.results, quality, latency_ms)
