"""`tuku serve`: a searcher that outlives a throttled model, a Milvus that restarts, and a collection that is rebuilt.

A searcher is opened when it is first needed. When Milvus fails it, or its access to a model's service has halted (for
good, once its patience has ended, which is right for a single search), another takes its place, with a new access.
Who comes within `AGAIN_S` of such a failure is not kept waiting: that failure is the answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field

from tuku.config import Config
from tuku.errors import ConfigError, MilvusError, RowError, StoppedError, TukuError
from tuku.fetching import Fetched, GuardedFetcher
from tuku.retry import RetryPolicy
from tuku.runtime.halts import Halts, is_halt
from tuku.runtime.retrieving import MilvusRetriever
from tuku.runtime.searching import open_searcher
from tuku.runtime.stored import images_like, some_images
from tuku.search.known_fields import KnownFields
from tuku.search.query import Query
from tuku.search.results import Result, SearchAnswer
from tuku.search.searcher import Searcher

AGAIN_S = 5.0
"""So soon after a failure nothing is opened anew."""
CHECK_S = 60.0
"""So often it is asked whether the alias still leads to a collection of this model's vectors."""

Opener = Callable[[Config], AbstractContextManager[Searcher]]


class OutOfServiceError(TukuError):
    """There is nothing to search in just now: no collection, no server, or vectors of another model."""


@dataclass
class _Opened:
    searcher: Searcher
    exits: ExitStack
    opened_s: float
    checked_s: float
    users: int = 0
    failed: bool = False
    replaced: bool = False


@dataclass
class LiveCatalogue:
    """The collection that readers see, for many threads and a long time.

    Args:
        config: the configuration.
        opener: opens a searcher.
        clock: monotonic seconds.
    """

    config: Config
    opener: Opener = open_searcher
    clock: Callable[[], float] = time.monotonic
    _opened: _Opened | None = None
    _refusal: OutOfServiceError | None = None
    _refused_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        # Somebody is waiting: neither for Milvus nor for a picture as long as a job would wait.
        patience_s = min(self.config.milvus.timeout_s, self.config.serve.timeout_s)
        milvus = self.config.milvus.model_copy(update={"timeout_s": patience_s})
        fetch_s = min(self.config.fetch.timeout_s, self.config.serve.timeout_s)
        fetch = self.config.fetch.model_copy(update={"timeout_s": fetch_s})
        self._patient = self.config.model_copy(update={"milvus": milvus, "fetch": fetch})
        self._halts = Halts(AGAIN_S, self.clock)
        self._pictures = GuardedFetcher(fetch, policy=RetryPolicy(attempts=2, max_wait_s=1.0))

    def search(self, query: Query) -> SearchAnswer:
        """See `Searcher.search`.

        Raises:
            OutOfServiceError: there is nothing to search in just now.
            TukuError: as `Searcher.search`.
            RowError: the query's picture cannot be used.
        """
        with self._halts.heeded(), self._searcher() as opened:
            answer = opened.searcher.search(query)
            # A reranker's access halts too, and that ends no search.
            opened.failed |= query.rerank and not answer.reranked and bool(answer.results)
            return answer

    def similar(self, image_id: str, query: Query) -> SearchAnswer | None:
        """What is like a stored image; None if there is no such image. See `images_like`.

        Raises:
            TukuError: as `search`.
        """
        with self._searcher() as opened:
            return images_like(opened.searcher, _collection(opened.searcher), image_id, query)

    def find(self, image_id: str) -> Result | None:
        """An image by its id.

        Raises:
            TukuError: as `search`.
        """
        with self._searcher() as opened:
            return _collection(opened.searcher).images([image_id]).get(image_id)

    def some(self, limit: int) -> list[Result]:
        """So many images, whichever.

        Raises:
            TukuError: as `search`.
        """
        with self._searcher() as opened:
            return some_images(_collection(opened.searcher), limit)

    def fields(self) -> KnownFields:
        """What filters can name.

        Raises:
            TukuError: as `search`.
        """
        with self._searcher() as opened:
            return opened.searcher.retriever.fields()

    def can_rerank(self) -> bool:
        """Whether there is a reranker.

        Raises:
            TukuError: as `search`.
        """
        with self._searcher() as opened:
            return opened.searcher.reordering is not None

    def check(self) -> None:
        """Whether the collection answers, and with vectors of this model.

        Raises:
            TukuError: it does not.
        """
        with self._searcher() as opened:
            self._require_fit(opened)

    def picture(self, uri: str) -> Fetched | RowError:
        """The file of a stored image, past the guards that ingestion has."""
        return self._pictures.fetch([uri])[0]

    def close(self) -> None:
        """Let go of Milvus and of all connections; who is still searching ends before."""
        self._pictures.close()
        with self._lock:
            opened, self._opened = self._opened, None
            if opened is not None:
                self._retire(opened)

    @contextmanager
    def _searcher(self) -> Iterator[_Opened]:
        opened = self._taken()
        try:
            if self._check_is_due(opened):
                self._require_fit(opened)
            yield opened
        except (StoppedError, MilvusError) as error:
            opened.failed |= isinstance(error, MilvusError) or is_halt(error)
            raise
        finally:
            with self._lock:
                opened.users -= 1
                if opened.replaced and not opened.users:
                    opened.exits.close()

    def _taken(self) -> _Opened:
        with self._lock:
            now_s = self.clock()
            if self._refusal is not None and now_s - self._refused_s < AGAIN_S:
                raise OutOfServiceError(*self._refusal.args) from self._refusal.__cause__
            opened = self._opened
            if opened is None or (opened.failed and now_s - opened.opened_s >= AGAIN_S):
                opened = self._open()
            opened.users += 1
            return opened

    def _open(self) -> _Opened:
        exits = ExitStack()
        try:
            searcher = exits.enter_context(self.opener(self._patient))
        except (ConfigError, MilvusError, StoppedError) as error:
            raise self._refused(error) from error
        now_s = self.clock()
        before, self._opened = self._opened, _Opened(searcher, exits, now_s, now_s)
        self._refusal = None
        if before is not None:
            self._retire(before)
        return self._opened

    def _retire(self, opened: _Opened) -> None:
        opened.replaced = True
        if not opened.users:
            opened.exits.close()

    def _check_is_due(self, opened: _Opened) -> bool:
        with self._lock:
            due = self.clock() - opened.checked_s >= CHECK_S
            if due:
                opened.checked_s = self.clock()
            return due

    def _require_fit(self, opened: _Opened) -> None:
        from tuku.milvus.reader import require_searchable

        model = opened.searcher.encoder.embedder.description
        retriever = _collection(opened.searcher)
        try:
            require_searchable(retriever.client, retriever.config, model.name, model.dim or 0)
        except ConfigError as error:
            with self._lock:
                opened.failed, opened.opened_s = True, -AGAIN_S  # the next one is opened as soon as there may be one
                raise self._refused(error) from error

    def _refused(self, error: TukuError) -> OutOfServiceError:
        self._refusal, self._refused_s = OutOfServiceError(error.message, error.remedy), self.clock()
        self._refusal.__cause__ = error
        return self._refusal


def _collection(searcher: Searcher) -> MilvusRetriever:
    if not isinstance(searcher.retriever, MilvusRetriever):
        raise TypeError(f"{type(searcher.retriever).__name__} has no stored rows")
    return searcher.retriever
