"""`tuku search`: the searcher wired to its model, its collection and its files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tuku.config import Config, MilvusConfig
from tuku.errors import RowError
from tuku.fetching import Fetcher, GuardedFetcher
from tuku.protocols import Vector
from tuku.providers.registry import create_embedder, describe_embedder
from tuku.runtime.access import local_access
from tuku.runtime.thumbnails import thumbnails
from tuku.search.grid import draw_grid, save_grid
from tuku.search.results import Query, Result, SearchAnswer
from tuku.search.searcher import Searcher

if TYPE_CHECKING:
    from pymilvus import MilvusClient

_TILE_PX = 480


@dataclass(frozen=True)
class MilvusRetriever:
    """A loaded collection, behind the alias that readers use."""

    client: MilvusClient
    config: MilvusConfig

    def nearest(self, field: str, vector: Vector, limit: int) -> list[Result]:
        """See `Retriever`."""
        from tuku.milvus.fields import scalar_fields
        from tuku.milvus.search import search as search_milvus

        own = set(scalar_fields())
        queries = np.asarray([vector], dtype=np.float32)
        hits = search_milvus(self.client, self.config.collection, field, queries, self.config.index, limit=limit)[0]
        return [
            Result(
                id=hit.id,
                score=hit.score,
                scores={field: hit.score},
                uri=hit.fields["origin"],
                caption=hit.fields["image_description"],
                keywords=tuple(hit.fields["keywords"]),
                metadata={name: value for name, value in hit.fields.items() if name not in own},
            )
            for hit in hits
        ]


@contextmanager
def open_searcher(config: Config) -> Iterator[Searcher]:
    """A searcher over the collection that readers see.

    Raises:
        ConfigError: the model or its package is missing.
        VectorSpaceError: the collection was filled by another model.
        MilvusError: there is no such collection, or no server.
    """
    from tuku.milvus.connect import connected
    from tuku.milvus.reader import require_searchable

    access = local_access(describe_embedder(config.embed), config)
    embedder = create_embedder(config.embed, access)
    with connected(config.milvus, create=False) as client, GuardedFetcher(config.fetch) as fetcher:
        model = embedder.description
        require_searchable(client, config.milvus, model.name, model.dim or 0)
        try:
            yield Searcher(config, embedder, fetcher, MilvusRetriever(client, config.milvus))
        except RowError as error:
            if access is not None and access.quota.halted is not None:
                raise access.quota.halted from error
            raise


def search(config: Config, query: Query, grid: Path | None = None) -> SearchAnswer:
    """Answer one query; draw the answer as a picture grid if a path for it (PNG) is given.

    Raises:
        TukuError: see `open_searcher` and `Searcher.search`.
        RowError: the query's picture cannot be used.
    """
    with open_searcher(config) as searcher:
        answer = searcher.search(query)
        if grid is not None:
            save_grid(_draw(answer, searcher.fetcher, config), grid)
    return answer


def _draw(answer: SearchAnswer, fetcher: Fetcher, config: Config) -> Image.Image:
    found = [result.uri for result in answer.results]
    asked = [answer.query.image] if answer.query.image is not None else []
    pictures = thumbnails([*found, *asked], fetcher, config.decode, _TILE_PX)
    return draw_grid(answer, pictures[: len(found)], pictures[-1] if asked else None)
