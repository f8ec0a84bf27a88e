"""What a collection has of an image: its details, and what is like it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tuku.milvus.fields import scalar_fields, vector_fields
from tuku.protocols import Vector
from tuku.runtime.retrieving import MilvusRetriever
from tuku.search.encode import Encoder
from tuku.search.query import Query
from tuku.search.results import Result, SearchAnswer
from tuku.search.searcher import Searcher
from tuku.search.where import read_where


@dataclass(frozen=True)
class _Known(Encoder):
    """The vector is there already."""

    vector: Vector | None = None

    def encode(self, queries: Sequence[Query]) -> list[Vector]:
        return [self.vector for _ in queries if self.vector is not None]


def find_image(retriever: MilvusRetriever, image_id: str) -> Result | None:
    """An image by its id; None if there is none.

    Raises:
        MilvusError: the collection did not answer.
    """
    from tuku.milvus.lookup import find_row

    row = find_row(retriever.client, retriever.config, image_id)
    return _result(row, retriever) if row else None


def some_images(retriever: MilvusRetriever, limit: int) -> list[Result]:
    """So many images, whichever Milvus gives first.

    Raises:
        MilvusError: the collection did not answer.
    """
    from tuku.milvus.lookup import some_rows

    return [_result(row, retriever) for row in some_rows(retriever.client, retriever.config, limit)]


def images_like(searcher: Searcher, retriever: MilvusRetriever, image_id: str, query: Query) -> SearchAnswer | None:
    """What is like an image that is in the collection, itself left out; None if there is no such image.

    Nothing is encoded. Among captions it is its caption's vector that is searched with, else its picture's where the
    collection has those.

    Args:
        searcher: of the collection.
        retriever: likewise.
        image_id: of the image.
        query: where and how; its text and image are not looked at.

    Raises:
        TukuError: as `Searcher.search`.
    """
    from tuku.milvus.lookup import find_row

    row = find_row(retriever.client, retriever.config, image_id, vectors=True)
    if not row:
        return None
    names = vector_fields(retriever.config)
    wanted = "text_embedding" if query.target == "text" else "image_embedding"
    vector = np.asarray(row[wanted if wanted in names else names[0]], dtype=np.float32)
    encoder = searcher.encoder
    known = _Known(encoder.embedder, encoder.fetcher, encoder.decoding, vector=vector)
    others = replace(query, text=None, image=row["origin"], where=_but(image_id, query.where))
    answer = replace(searcher, encoder=known).search(others)
    return replace(answer, query=replace(others, where=query.where))


def _but(image_id: str, where: str | None) -> str:
    if where is not None:
        read_where(where)  # so that what is wrong with it is shown at its own place
    backslashed = image_id.replace("\\", "\\\\").replace('"', '\\"')
    itself = f'id != "{backslashed}"'
    return itself if where is None else f"({where}) and {itself}"


def _result(row: dict[str, Any], retriever: MilvusRetriever) -> Result:
    own = {*scalar_fields(), *vector_fields(retriever.config)}
    return Result(
        id=str(row["id"]),
        score=0.0,
        uri=row["origin"],
        caption=row["image_description"],
        keywords=tuple(row["keywords"]),
        metadata={name: value for name, value in row.items() if name not in own and value is not None},
    )
