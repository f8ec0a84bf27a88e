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
from tuku.errors import ConfigError, RowError, StoppedError, TukuError
from tuku.fetching import Fetcher, GuardedFetcher
from tuku.protocols import ModelDescription, Vector
from tuku.providers.factory import Access
from tuku.providers.registry import create_embedder, describe_embedder
from tuku.runtime.access import local_access
from tuku.runtime.quota_fit import require_fit
from tuku.runtime.remedies import remedy_of
from tuku.runtime.thumbnails import thumbnails
from tuku.search.grid import draw_grid, save_grid
from tuku.search.results import Query, Result, SearchAnswer
from tuku.search.searcher import NoVectorError, Searcher

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
        from tuku.milvus.search import everything
        from tuku.milvus.search import search as search_milvus

        own = set(scalar_fields())
        queries = np.asarray([vector], dtype=np.float32)
        hits = search_milvus(
            self.client,
            self.config.collection,
            field,
            queries,
            self.config.index,
            limit=limit,
            output=everything(self.config),
        )[0]
        return [
            Result(
                id=hit.id,
                score=hit.score,
                scores={field: hit.score},
                uri=hit.fields["origin"],
                caption=hit.fields["image_description"],
                keywords=tuple(hit.fields["keywords"]),
                metadata={name: value for name, value in hit.fields.items() if name not in own and value is not None},
            )
            for hit in hits
        ]


@contextmanager
def open_searcher(config: Config) -> Iterator[Searcher]:
    """A searcher over the collection that readers see.

    Raises:
        ConfigError: the model or its package is missing, or its quota is smaller than one request.
        VectorSpaceError: the collection was filled by another model.
        MilvusError: there is no such collection, or no server.
    """
    from tuku.milvus.connect import connected
    from tuku.milvus.reader import require_searchable

    described = describe_embedder(config.embed)
    require_fit("embed", described)
    access = local_access(described, config)
    embedder = create_embedder(config.embed, access)
    with connected(config.milvus, create=False) as client, GuardedFetcher(config.fetch) as fetcher:
        model = embedder.description
        require_searchable(client, config.milvus, model.name, model.dim or 0)
        try:
            yield Searcher(config, embedder, fetcher, MilvusRetriever(client, config.milvus))
        except NoVectorError as error:
            raise _explained(error.fault, model, config, access) from error


def _explained(fault: RowError, model: ModelDescription, config: Config, access: Access | None) -> TukuError:
    """Whose fault it is that there is no vector: the service's (it may work again later), or the query's."""
    if access is not None and access.quota.halted is not None:
        return access.quota.halted
    remedy = remedy_of(fault, "embed", config.embed)
    if fault.retryable:
        return StoppedError(f"{model.provider}/{model.model} did not answer: {fault.sentence}", remedy)
    if fault.code == "unexpected_error":
        return TukuError(f"{model.provider}/{model.model} could not be asked: {fault.sentence}", remedy)
    return ConfigError(f"The query cannot be encoded: {fault.sentence}", remedy)


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
