"""`tuku serve`: the collection that readers see, asked for a long time by many threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from tuku.config import Config
from tuku.errors import RowError
from tuku.fetching import Fetched, GuardedFetcher
from tuku.retry import RetryPolicy
from tuku.runtime.circuit_breaker import CircuitBreaker
from tuku.runtime.clients_pictures import ClientsPictures
from tuku.runtime.reconnecting import AGAIN_S, CHECK_S, Opener, OutOfServiceError, ReconnectingSearcher
from tuku.runtime.searching import open_searcher
from tuku.runtime.stored import images_like, some_images
from tuku.search.known_fields import KnownFields
from tuku.search.query import Query
from tuku.search.results import Result, SearchAnswer

_RANKING = 0.8
"""Of the time for an answer, what a reranker may take; the rest is for its turn, for encoding and for retrieving."""

__all__ = ["AGAIN_S", "CHECK_S", "LiveCatalogue", "OutOfServiceError"]


class LiveCatalogue:
    """Implements `web.catalogue.Catalogue`; see `ReconnectingSearcher` and `CircuitBreaker` for what it outlives.

    Args:
        config: the configuration.
        opener: opens a searcher.
        clock: monotonic seconds.
    """

    def __init__(
        self, config: Config, opener: Opener = open_searcher, clock: Callable[[], float] = time.monotonic
    ) -> None:
        patient = _for_people(config)
        self._searcher = ReconnectingSearcher(patient, opener, clock)
        self._breaker = CircuitBreaker(AGAIN_S, clock)
        self._clients_pictures = ClientsPictures(patient)
        self._pictures = GuardedFetcher(patient.fetch, policy=RetryPolicy(attempts=2, max_wait_s=1.0))

    def search(self, query: Query) -> SearchAnswer:
        """See `Searcher.search`. A picture that is named is fetched as one that a client names.

        Raises:
            OutOfServiceError: there is nothing to search in just now.
            TukuError: as `Searcher.search`.
            RowError: the query's picture cannot be used.
        """
        image = self._clients_pictures.content(query.image) if isinstance(query.image, str) else query.image
        with self._breaker.guarded(), self._searcher.used() as opened:
            answer = opened.searcher.search(replace(query, image=image))
        return replace(answer, query=query)

    def similar(self, image_id: str, query: Query) -> SearchAnswer | None:
        """What is like a stored image; None if there is no such image. See `images_like`.

        Raises:
            TukuError: as `search`.
        """
        with self._searcher.used() as opened:
            return images_like(opened.searcher, opened.collection, image_id, query)

    def find(self, image_id: str) -> Result | None:
        """An image by its id.

        Raises:
            TukuError: as `search`.
        """
        with self._searcher.used() as opened:
            return opened.collection.images([image_id]).get(image_id)

    def some(self, limit: int, where: str | None = None) -> list[Result]:
        """So many images, whichever, of those that meet a filter.

        Raises:
            TukuError: as `search`.
        """
        with self._searcher.used() as opened:
            return some_images(opened.collection, limit, where)

    def fields(self) -> KnownFields:
        """What filters can name.

        Raises:
            TukuError: as `search`.
        """
        with self._searcher.used() as opened:
            return opened.searcher.retriever.fields()

    def can_rerank(self) -> bool:
        """Whether there is a reranker.

        Raises:
            TukuError: as `search`.
        """
        with self._searcher.used() as opened:
            return opened.searcher.reordering is not None

    def check(self) -> None:
        """Whether the collection answers, and with vectors of this model.

        Raises:
            TukuError: it does not.
        """
        with self._searcher.used() as opened:
            self._searcher.require_fit(opened)

    def picture(self, uri: str) -> Fetched | RowError:
        """The file of a stored image, past the guards that ingestion has."""
        return self._pictures.fetch([uri])[0]

    def close(self) -> None:
        """Let go of Milvus and of all connections; who is still searching ends before."""
        self._clients_pictures.close()
        self._pictures.close()
        self._searcher.close()


def _for_people(config: Config) -> Config:
    """Somebody is waiting: neither for Milvus nor for a picture as long as a job would wait.

    A reranker has to be given up while there is still time to answer without it.
    """
    longest_s = config.serve.timeout_s
    milvus = config.milvus.model_copy(update={"timeout_s": min(config.milvus.timeout_s, longest_s)})
    fetch = config.fetch.model_copy(update={"timeout_s": min(config.fetch.timeout_s, longest_s)})
    search = config.search.model_copy(update={"timeout_s": min(config.search.timeout_s, longest_s)})
    ranking_s = min(config.rerank.timeout_s, _RANKING * longest_s)
    rerank = config.rerank.model_copy(update={"timeout_s": ranking_s})
    return config.model_copy(update={"milvus": milvus, "fetch": fetch, "search": search, "rerank": rerank})
