"""The collection that readers see, and perhaps another one, open beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tuku.config import Config
from tuku.errors import ConfigError
from tuku.runtime.retrieving import MilvusRetriever
from tuku.runtime.searching import open_searcher
from tuku.search.searcher import Searcher


@contextmanager
def open_searchers(config: Config, other: str | None) -> Iterator[dict[str, Searcher]]:
    """By the collection's name: a searcher over the one that readers see, then perhaps one over `other`.

    Raises:
        ConfigError: both are the same.
        TukuError: as `open_searcher`, for either of them.
    """
    if other == config.milvus.collection:
        raise ConfigError(f"{other} cannot be compared with itself.", "`tuku collections` lists the others.")
    with open_searcher(config) as searcher:
        searchers = {config.milvus.collection: searcher}
        if other is not None:
            searchers[other] = _beside(searcher, other)
        yield searchers


def milvus_of(searcher: Searcher) -> MilvusRetriever:
    """The collection in Milvus, for what is asked of no other kind."""
    if not isinstance(searcher.retriever, MilvusRetriever):
        raise TypeError(f"{type(searcher.retriever).__name__} is no collection in Milvus")
    return searcher.retriever


def _beside(searcher: Searcher, name: str) -> Searcher:
    """A searcher over another collection, with the index that it has."""
    from tuku.milvus.index import index_of
    from tuku.milvus.reader import require_readable, require_searchable

    model, retriever = searcher.encoder.embedder.description, milvus_of(searcher)
    config = retriever.config.model_copy(update={"collection": name})
    index = index_of(retriever.client, require_readable(retriever.client, config), config)
    config = config.model_copy(update={"index": index})
    require_searchable(retriever.client, config, model.name, model.dim or 0)
    return replace(searcher, retriever=MilvusRetriever(retriever.client, config, retriever.search))
