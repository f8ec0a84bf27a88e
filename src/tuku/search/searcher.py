"""Search: encode the query, retrieve its neighbours, apply the business rules, rerank. The API behind CLI and page."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tuku.conditions import Condition
from tuku.config import Config
from tuku.errors import ConfigError
from tuku.protocols import Vector
from tuku.search.encode import Encoder
from tuku.search.known_fields import checked, renamed, require_field
from tuku.search.query import MAX_WINDOW, Query
from tuku.search.rerank import Reordering
from tuku.search.results import Result, SearchAnswer
from tuku.search.retriever import Retriever
from tuku.search.rules import best_of_groups, boosted, scoring_enough
from tuku.search.where import read_boost, read_where

_MORE = 4
"""Where groups leave too few results, so many times more are asked for."""


@dataclass(frozen=True)
class _Asked:
    """A query whose conditions have been understood."""

    query: Query
    where: Condition | None
    boosts: Mapping[Condition, float]
    group_by: str | None


@dataclass(frozen=True)
class Searcher:
    """Answers queries over one collection; safe to use from several threads.

    Args:
        config: the configuration.
        encoder: makes vectors of queries.
        retriever: the collection.
        reordering: shows the best results to a reranker; None if none is configured.
    """

    config: Config
    encoder: Encoder
    retriever: Retriever
    reordering: Reordering | None = None

    def search(self, query: Query) -> SearchAnswer:
        """The images that answer a text, a picture, or both together.

        Raises:
            ConfigError: the query makes no sense (see `Query.require_sense`), names a field that the collection does
                not have, or wants a reranker where none is configured.
            WhereError: its filter or a boost cannot be understood.
            RowError: its picture cannot be fetched or decoded.
            NoVectorError: the model refused it, or did not answer.
            MilvusError: the collection did not answer.
        """
        return self.search_all([query])[0]

    def search_all(self, queries: Sequence[Query]) -> list[SearchAnswer]:
        """The answers to several queries, encoded and retrieved together; the times are those of all of them.

        Raises:
            TukuError: as `search`, for any of them.
            RowError: likewise.
        """
        watch = Stopwatch()
        asked = [self._understood(query) for query in queries]
        watch.lap("filter")
        vectors = self.encoder.encode(queries)
        watch.lap("encode")
        return self._found(asked, vectors, watch)

    def search_vectors(self, queries: Sequence[Query], vectors: Sequence[Vector]) -> list[SearchAnswer]:
        """Likewise, for queries that have been encoded: float32 (dim,) each.

        Raises:
            TukuError: as `search`.
        """
        watch = Stopwatch()
        asked = [self._understood(query) for query in queries]
        watch.lap("filter")
        return self._found(asked, vectors, watch)

    def _found(self, asked: Sequence[_Asked], vectors: Sequence[Vector], watch: Stopwatch) -> list[SearchAnswer]:
        found = self._retrieved(asked, vectors)
        watch.lap("retrieve")
        ranked = [self._ruled(each, results) for each, results in zip(asked, found, strict=True)]
        watch.lap("filter")
        answers = [self._answer(each.query, results) for each, results in zip(asked, ranked, strict=True)]
        if any(each.query.rerank for each in asked):
            watch.lap("rerank")
        return [replace(answer, timings_ms=watch.timings_ms) for answer in answers]

    def _understood(self, query: Query) -> _Asked:
        query.require_sense()
        self._require_vectors(query)
        if query.rerank and self.reordering is None:
            raise ConfigError("There is no reranker (rerank.provider is none).", "Set it to dashscope or openai.")
        where = None if query.where is None else read_where(query.where)
        boosts = {read_boost(condition): factor for condition, factor in query.boosts.items()}
        if where is None and not boosts and query.group_by is None:
            return _Asked(query, None, {}, None)
        known, is_there = self.retriever.fields(), self.retriever.has_field
        return _Asked(
            query,
            None if where is None else checked(where, known, is_there),
            {renamed(condition, known, is_there): factor for condition, factor in boosts.items()},
            None if query.group_by is None else require_field(query.group_by, known, is_there),
        )

    def _require_vectors(self, query: Query) -> None:
        vectors = self.config.milvus.vectors
        missing = {"image", "text"} - set(vectors) if query.target == "both" else {query.target} - set(vectors)
        for name in sorted(missing):
            raise ConfigError(
                f"The collection has no {name}_embedding (milvus.vectors is [{', '.join(vectors)}]).",
                f"Search --in {vectors[0]}.",
            )

    def _retrieved(self, asked: Sequence[_Asked], vectors: Sequence[Vector]) -> list[list[Result]]:
        """What was found for each query; those that ask alike are asked together."""
        alike: dict[tuple[object, ...], list[int]] = {}
        for number, each in enumerate(asked):
            alone = number if each.group_by is not None else None
            alike.setdefault((each.query.target, each.where, self._pool(each), alone), []).append(number)
        found: list[list[Result]] = [[] for _ in asked]
        for numbers in alike.values():
            first = asked[numbers[0]]
            batch = self._nearest(first, [vectors[number] for number in numbers], self._pool(first))
            for number, results in zip(numbers, batch, strict=True):
                found[number] = results
            if first.group_by is not None:
                found[numbers[0]] = self._enough_groups(first, vectors[numbers[0]], batch[0])
        return found

    def _pool(self, asked: _Asked) -> int:
        """How many results must be looked at: more where their order may change."""
        query = asked.query
        pool = query.depth
        if asked.boosts or asked.group_by is not None:
            pool = max(pool, self.config.search.candidates)
        if query.rerank and query.offset < self.config.rerank.candidates:
            pool = max(pool, self.config.rerank.candidates)
        return min(pool, MAX_WINDOW)

    def _nearest(self, asked: _Asked, vectors: Sequence[Vector], limit: int) -> list[list[Result]]:
        if asked.query.target == "both":
            return self.retriever.fused(vectors, limit, asked.where)
        return self.retriever.nearest(f"{asked.query.target}_embedding", vectors, limit, asked.where)

    def _enough_groups(self, asked: _Asked, vector: Vector, found: list[Result]) -> list[Result]:
        """So many results that they are of enough groups, or all there are."""
        limit = self._pool(asked)
        while len(found) >= limit and limit < MAX_WINDOW:
            if len(best_of_groups(scoring_enough(found, asked.query.min_score), asked.group_by)) >= asked.query.depth:
                break
            limit = min(limit * _MORE, MAX_WINDOW)
            found = self._nearest(asked, [vector], limit)[0]
        return found

    def _ruled(self, asked: _Asked, results: Sequence[Result]) -> list[Result]:
        enough = scoring_enough(results, asked.query.min_score)
        return best_of_groups(boosted(enough, asked.boosts), asked.group_by)

    def _answer(self, query: Query, results: list[Result]) -> SearchAnswer:
        shown = slice(query.offset, query.depth)
        if not query.rerank or self.reordering is None:
            return SearchAnswer(query, tuple(results[shown]))
        candidates = self.config.rerank.candidates
        if query.offset >= candidates:
            note = f"Not reranked: only the first {candidates} results are, and these come after them."
            return SearchAnswer(query, tuple(results[shown]), notes=(note,))
        reordered = self.reordering.reorder(query, results)
        return SearchAnswer(query, tuple(reordered.results[shown]), reordered.done, notes=reordered.notes)


@dataclass
class Stopwatch:
    """Milliseconds of each phase."""

    timings_ms: dict[str, float] = field(default_factory=dict)
    _last: float = field(default_factory=time.perf_counter)

    def lap(self, name: str) -> None:
        """A phase has ended; one that ended before went on."""
        now = time.perf_counter()
        before = self.timings_ms.pop(name, 0.0)
        self.timings_ms[name], self._last = round(before + (now - self._last) * 1000, 3), now
