"""Search: encode the query, retrieve its neighbours, apply the business rules, rerank. The API behind CLI and page."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tuku.conditions import Condition
from tuku.config import Config
from tuku.errors import ConfigError
from tuku.protocols import Vector
from tuku.search.asked import Asked, understood
from tuku.search.encode import Encoder
from tuku.search.finder import Finder
from tuku.search.query import Query
from tuku.search.rerank import Reordering
from tuku.search.results import Result, SearchAnswer
from tuku.search.retriever import Retriever
from tuku.search.way import reranks, wanted


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
        return self._answers(asked, vectors, watch)

    def search_vectors(
        self, queries: Sequence[Query], vectors: Sequence[Vector], besides: Condition | None = None
    ) -> list[SearchAnswer]:
        """Likewise, for queries that have been encoded.

        Args:
            queries: what is asked.
            vectors: float32 (dim,) each.
            besides: what the images must meet as well; its fields bear the collection's names.

        Raises:
            TukuError: as `search`.
        """
        watch = Stopwatch()
        asked = [self._understood(query, besides) for query in queries]
        watch.lap("filter")
        return self._answers(asked, vectors, watch)

    def _answers(self, asked: Sequence[Asked], vectors: Sequence[Vector], watch: Stopwatch) -> list[SearchAnswer]:
        finder = Finder(self.config, self.retriever)
        found = finder.find(asked, vectors)
        results = [
            finder.complete(each, vector, its, self._window(each))
            for each, vector, its in zip(asked, vectors, found, strict=True)
        ]
        watch.lap("retrieve")
        answers = [self._answer(each, shown) for each, shown in zip(asked, results, strict=True)]
        if any(each.query.rerank for each in asked):
            watch.lap("rerank")
        return [replace(answer, timings_ms=watch.timings_ms) for answer in answers]

    def _understood(self, query: Query, besides: Condition | None = None) -> Asked:
        query.require_sense()
        self._require_vectors(query)
        if query.rerank and self.reordering is None:
            raise ConfigError("There is no reranker (rerank.provider is none).", "Set it to dashscope or openai.")
        return understood(query, self.retriever, besides)

    def _require_vectors(self, query: Query) -> None:
        vectors = self.config.milvus.vectors
        missing = {"image", "text"} - set(vectors) if query.target == "both" else {query.target} - set(vectors)
        for name in sorted(missing):
            raise ConfigError(
                f"The collection has no {name}_embedding (milvus.vectors is [{', '.join(vectors)}]).",
                f"Search --in {vectors[0]}.",
            )

    def _window(self, asked: Asked) -> slice:
        """Which results are looked at by somebody: the page, and what the reranker is shown."""
        if reranks(asked, self.config):
            return slice(0, wanted(asked, self.config))
        return slice(asked.query.offset, asked.query.depth)

    def _answer(self, asked: Asked, results: Sequence[Result]) -> SearchAnswer:
        query, candidates = asked.query, self.config.rerank.candidates
        if not query.rerank or self.reordering is None:
            return SearchAnswer(query, tuple(results))
        if not reranks(asked, self.config):
            note = f"Not reranked: only the first {candidates} results are, and these come after them."
            return SearchAnswer(query, tuple(results), notes=(note,))
        reordered = self.reordering.reorder(query, results)
        page = reordered.results[query.offset : query.depth]
        return SearchAnswer(query, page, reordered.done, notes=reordered.notes)


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
