"""What a collection has of its images: some of them, and what is like one of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tuku.conditions import Comparison
from tuku.milvus.fields import ID, vector_fields
from tuku.runtime.retrieving import MilvusRetriever
from tuku.search.known_fields import checked
from tuku.search.query import Query
from tuku.search.results import Result, SearchAnswer
from tuku.search.searcher import Searcher
from tuku.search.where import read_where


def some_images(retriever: MilvusRetriever, limit: int, where: str | None) -> list[Result]:
    """So many images that meet a filter, whichever Milvus gives first.

    Raises:
        WhereError: the filter cannot be understood.
        ConfigError: it does not fit the collection.
        MilvusError: the collection did not answer.
    """
    condition = None if where is None else checked(read_where(where), retriever.fields(), retriever.has_field)
    return retriever.some(limit, condition)


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
    from tuku.milvus.search import rows_of

    names = vector_fields(retriever.config)
    wanted = "text_embedding" if query.target == "text" else "image_embedding"
    name = wanted if wanted in names else names[0]
    rows = rows_of(
        retriever.client, retriever.config.collection, [image_id], ["origin", name], retriever.search.timeout_s
    )
    if not rows:
        return None
    others = replace(query, text=None, image=rows[0]["origin"])
    vector = np.asarray(rows[0][name], dtype=np.float32)
    [answer] = searcher.search_vectors([others], [vector], Comparison(ID, "!=", (image_id,)))
    return answer
