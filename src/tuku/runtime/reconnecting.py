"""A searcher that outlives a model's service that halts, a Milvus that restarts, and a collection that is rebuilt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field

from tuku.config import Config
from tuku.errors import ConfigError, MilvusError, StoppedError, TukuError
from tuku.milvus.calls import MilvusAwayError
from tuku.runtime.circuit_breaker import is_halt
from tuku.runtime.retrieving import MilvusRetriever
from tuku.search.searcher import Searcher

AGAIN_S = 5.0
"""So soon after a failure nothing is opened anew."""
CHECK_S = 60.0
"""So often it is asked whether the alias still leads to a collection of this model's vectors."""

Opener = Callable[[Config], AbstractContextManager[Searcher]]


class OutOfServiceError(TukuError):
    """There is nothing to search in just now: no collection, no server, or vectors of another model."""


@dataclass
class Opened:
    """A searcher that is open.

    Attributes:
        users: who works with it.
        failed: another one is to take its place, and this one is closed when its last user has gone.
        replaced: that has happened.
    """

    searcher: Searcher
    exits: ExitStack
    opened_s: float
    checked_s: float
    users: int = 0
    failed: bool = False
    replaced: bool = False

    @property
    def collection(self) -> MilvusRetriever:
        """What it searches."""
        if not isinstance(self.searcher.retriever, MilvusRetriever):
            raise TypeError(f"{type(self.searcher.retriever).__name__} has no stored rows")
        return self.searcher.retriever


@dataclass
class ReconnectingSearcher:
    """Opens a searcher when it is first needed, and another one when Milvus or the access to a model has failed it.

    An access halts for good once its patience has ended, which is right for a single search: so it is made anew. Who
    comes within `AGAIN_S` of a failure to open is not kept waiting: that failure is the answer.

    Args:
        config: the configuration.
        opener: opens a searcher.
        clock: monotonic seconds.
    """

    config: Config
    opener: Opener
    clock: Callable[[], float]
    _opened: Opened | None = None
    _refusal: OutOfServiceError | None = None
    _refused_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _opening: threading.Lock = field(default_factory=threading.Lock, repr=False)
    """Held by the one who opens, which takes long; `_lock` never for longer than a look at what is here."""

    @contextmanager
    def used(self) -> Iterator[Opened]:
        """A searcher for the length of a `with` block; many may have it at once.

        A search that Milvus refuses says nothing of the searcher: clients write filters. One that is away does.

        Raises:
            OutOfServiceError: there is nothing to search in just now.
        """
        opened = self._taken()
        try:
            if self._check_is_due(opened):
                self.require_fit(opened)
            yield opened
        except (StoppedError, MilvusAwayError) as error:
            opened.failed |= isinstance(error, MilvusAwayError) or is_halt(error)
            raise
        finally:
            with self._lock:
                opened.users -= 1
                left = opened.replaced and not opened.users
            if left:
                opened.exits.close()

    def require_fit(self, opened: Opened) -> None:
        """Check that the collection answers, and holds vectors of this model.

        Raises:
            OutOfServiceError: it does not fit.
            MilvusError: it does not answer.
        """
        from tuku.milvus.reader import require_searchable

        model, collection = opened.searcher.encoder.embedder.description, opened.collection
        try:
            require_searchable(collection.client, collection.config, model.name, model.dim or 0)
        except ConfigError as error:
            with self._lock:
                opened.failed, opened.opened_s = True, -AGAIN_S  # the next one is opened as soon as there may be one
                raise self._refused(error) from error

    def close(self) -> None:
        """Let go of Milvus; who is still searching ends before."""
        with self._opening:
            self._replace(None)

    def _taken(self) -> Opened:
        """One opens; the others go on with the failed searcher meanwhile, and wait only where there is none."""
        is_none = self._opened is None
        if self._is_wanted() and self._opening.acquire(blocking=is_none):
            try:
                if self._is_wanted():
                    self._replace(self._open())
            finally:
                self._opening.release()
        with self._lock:
            if self._opened is None:
                raise OutOfServiceError("It is being closed.")
            self._opened.users += 1
            return self._opened

    def _is_wanted(self) -> bool:
        """Whether another searcher is to be opened.

        Raises:
            OutOfServiceError: that has just failed.
        """
        with self._lock:
            now_s = self.clock()
            if self._refusal is not None and now_s - self._refused_s < AGAIN_S:
                raise OutOfServiceError(*self._refusal.args) from self._refusal.__cause__
            opened = self._opened
            return opened is None or (opened.failed and now_s - opened.opened_s >= AGAIN_S)

    def _open(self) -> Opened:
        exits = ExitStack()
        try:
            searcher = exits.enter_context(self.opener(self.config))
        except (ConfigError, MilvusError, StoppedError) as error:
            with self._lock:
                raise self._refused(error) from error
        now_s = self.clock()
        return Opened(searcher, exits, now_s, now_s)

    def _replace(self, by: Opened | None) -> None:
        with self._lock:
            before, self._opened, self._refusal = self._opened, by, None
            if before is None:
                return
            before.replaced = True
            left = not before.users
        if left:
            before.exits.close()

    def _check_is_due(self, opened: Opened) -> bool:
        with self._lock:
            due = self.clock() - opened.checked_s >= CHECK_S
            if due:
                opened.checked_s = self.clock()
            return due

    def _refused(self, error: TukuError) -> OutOfServiceError:
        self._refusal, self._refused_s = OutOfServiceError(error.message, error.remedy), self.clock()
        self._refusal.__cause__ = error
        return self._refusal
