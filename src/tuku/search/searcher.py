"""Search: encode the query, retrieve its neighbours, give back results."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import Protocol

from tuku.config import Config
from tuku.errors import ConfigError, RowError, TukuError
from tuku.fetching import Fetcher
from tuku.imaging import decode
from tuku.protocols import Embedder, Picture, Vector
from tuku.search.results import Query, Result, SearchAnswer


class NoVectorError(TukuError):
    """The model made no vector of the query.

    Args:
        fault: why.
    """

    def __init__(self, fault: RowError) -> None:
        super().__init__(f"The query could not be encoded: {fault}")
        self.fault = fault


class Retriever(Protocol):
    """The vector database, as far as searching goes."""

    def nearest(self, field: str, vector: Vector, limit: int) -> list[Result]:
        """The `limit` nearest neighbours of a float32 (dim,) vector in a vector field, best first."""
        ...


@dataclass(frozen=True)
class Searcher:
    """Answers queries over one collection."""

    config: Config
    embedder: Embedder
    fetcher: Fetcher
    retriever: Retriever

    def search(self, query: Query) -> SearchAnswer:
        """The images nearest to a text or a picture.

        Raises:
            ConfigError: neither or both were given, or a vector field that the collection does not have.
            RowError: the query's picture cannot be fetched or decoded.
            NoVectorError: the model refused the query, or did not answer.
        """
        self._check(query)
        watch = _Stopwatch()
        vector = self._encode(query)
        watch.lap("encode")
        results = tuple(self.retriever.nearest(f"{query.target}_embedding", vector, query.limit))
        watch.lap("retrieve")
        return SearchAnswer(query, results, timings_ms=watch.timings_ms)

    def _check(self, query: Query) -> None:
        if bool(query.text) == bool(query.image):
            raise ConfigError("A search needs a text or a picture, one of the two.", "Give TEXT, or --image PATH|URL.")
        vectors = self.config.milvus.vectors
        if query.target not in vectors:
            raise ConfigError(
                f"The collection has no {query.target}_embedding (milvus.vectors is [{', '.join(vectors)}]).",
                f"Search --in {vectors[0]}.",
            )

    def _encode(self, query: Query) -> Vector:
        if query.text:
            vector = self.embedder.embed_queries([query.text])[0]
        else:
            vector = self.embedder.embed_pictures([self._picture(query.image or "")])[0]
        if isinstance(vector, RowError):
            raise NoVectorError(vector)
        return vector

    def _picture(self, uri: str) -> Picture:
        file = self.fetcher.fetch([uri])[0]
        if isinstance(file, RowError):
            raise file
        size = self.embedder.description.picture_size
        decoded = decode(file.content, max_pixels=self.config.decode.max_pixels, sizes=[] if size is None else [size])
        return Picture(decoded.pixels, content_sha256=hashlib.sha256(file.content).hexdigest())


@dataclass
class _Stopwatch:
    timings_ms: dict[str, float] = field(default_factory=dict)
    _last: float = field(default_factory=time.perf_counter)

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.timings_ms[name], self._last = round((now - self._last) * 1000, 3), now
