"""The configured reranker, wired for searching: checked at once, loaded when a search first wants it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from tuku.config import Config
from tuku.errors import ConfigError
from tuku.fetching import Fetcher
from tuku.protocols import Captioner, ModelDescription
from tuku.protocols_ranking import Reranker, VisionRanker
from tuku.providers.factory import Access
from tuku.providers.registry import (
    create_captioner,
    create_reranker,
    describe_captioner,
    describe_reranker,
    require_reranker_environment,
)
from tuku.runtime.access import local_access
from tuku.runtime.quota_fit import require_fit
from tuku.search.candidates import Album
from tuku.search.reordering import ModelReordering

_log = logging.getLogger(__name__)
ModelT = TypeVar("ModelT")


def check_reranker(config: Config) -> ModelDescription | None:
    """The configured reranker's description; None if there is none. Loads nothing.

    Raises:
        ConfigError: an unknown provider or model, a missing package or key, or a quota smaller than one request.
    """
    described = describe_reranker(config.rerank)
    if described is not None:
        require_fit("rerank", described)
        require_reranker_environment(config.rerank)
    return described


def reordering_of(config: Config, described: ModelDescription, fetcher: Fetcher) -> ModelReordering:
    """What shows the results of a search to the reranker.

    Args:
        config: the configuration.
        described: the reranker, as `check_reranker` gave it.
        fetcher: gets the pictures.
    """

    def reranker(access: Access | None) -> Reranker | VisionRanker:
        model = create_reranker(config.rerank, access)
        if model is None:
            raise ConfigError("There is no reranker (rerank.provider is none).", "Set it to dashscope or openai.")
        return model

    def captioner(access: Access | None) -> Captioner | None:
        try:
            return create_captioner(config.caption, access)
        except ConfigError as error:
            _log.info("The query's picture is described without the captioner: %s", error.message)
            return None

    return ModelReordering(
        _Lasting(reranker, lambda: local_access(described, config, "rerank")),
        _Lasting(captioner, lambda: _captioner_access(config)),
        Album(fetcher, config.decode),
        config.rerank,
    )


def _captioner_access(config: Config) -> Access | None:
    try:
        return local_access(describe_captioner(config.caption), config)
    except ConfigError:
        return None  # which is said where the captioner is made


class _Lasting(Generic[ModelT]):
    """A model that is made when it is first asked for.

    It is made anew once its quota has been halted: a service that was down, or a key that was refused, shall not end
    the reranking of a process that goes on for weeks.

    Args:
        make: makes the model.
        access: makes its access.
    """

    def __init__(self, make: Callable[[Access | None], ModelT], access: Callable[[], Access | None]) -> None:
        self._make, self._new_access = make, access
        self._lock = threading.Lock()
        self._made: tuple[ModelT, Access | None] | None = None

    def __call__(self) -> ModelT:
        with self._lock:
            if self._made is None or (self._made[1] is not None and self._made[1].quota.halted is not None):
                access = self._new_access()
                self._made = self._make(access), access
            return self._made[0]
