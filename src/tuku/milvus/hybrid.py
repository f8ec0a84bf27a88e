"""Retrieval in several vector fields at once, fused by Milvus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tuku.milvus.calls import is_unknown_call, milvus_errors
from tuku.milvus.fields import ID, vector_fields
from tuku.milvus.recall import exact_scores
from tuku.milvus.search import IDS_AT_ONCE, rows_of, search_params

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    from pymilvus import MilvusClient

    from tuku.config import IndexConfig, MilvusConfig, SearchConfig

    Row = dict[str, Any]
    Vector = npt.NDArray[np.float32]


def hybrid_search(
    client: MilvusClient,
    name: str,
    weights: Mapping[str, float],
    vectors: npt.NDArray[np.float32],
    index: IndexConfig,
    fusion: SearchConfig,
    *,
    limit: int,
    where: str,
    output: Sequence[str],
    scored: bool,
) -> list[list[tuple[Row, float, dict[str, float]]]] | None:
    """The best rows of each query by all fields, best first: the row, its fused score, and its score in each field.

    Args:
        client: an open client.
        name: a collection or alias, loaded.
        weights: by vector field that is searched; they count where scores are summed.
        vectors: queries, float32 (n, dim).
        index: of the fields.
        fusion: how; its `candidates` of each field are fused, or `limit` if that is more; and how long it may take.
        limit: results for each query.
        where: a Milvus filter expression; empty for none.
        output: fields to return.
        scored: whether their scores in each field are wanted; the vectors of all rows are in memory for that.

    Returns:
        None if this Milvus has no such call.

    Raises:
        MilvusError: it did not answer.
    """
    from pymilvus import AnnSearchRequest, RRFRanker, WeightedRanker
    from pymilvus.exceptions import MilvusException

    depth = max(limit, fusion.candidates)
    parameters = {"metric_type": index.metric, "params": search_params(index, depth, thorough=bool(where))}
    asked = [AnnSearchRequest(list(vectors), field, parameters, limit=depth, expr=where or None) for field in weights]
    ranker = RRFRanker(fusion.rrf_k) if fusion.fusion == "rrf" else WeightedRanker(*weights.values())
    fields = [*output, *(weights if scored else ())]
    with milvus_errors(f"searching {name}"):
        try:
            found = client.hybrid_search(
                name, asked, ranker, limit=limit, output_fields=fields, timeout=fusion.timeout_s
            )
        except MilvusException as error:
            if is_unknown_call(error):
                return None
            raise
    compared = list(weights) if scored else []
    return [_scored(hits, query, compared, index.metric) for hits, query in zip(found, vectors, strict=True)]


def field_scores(
    client: MilvusClient, config: MilvusConfig, ids: Sequence[str], query: Vector, timeout_s: float
) -> dict[str, dict[str, float]]:
    """The score of each of these images in each vector field, by id; one that is not there is left out.

    Args:
        client: an open client.
        config: of the collection.
        ids: of the images; the vectors of some hundreds are in memory at once.
        query: float32 (dim,).
        timeout_s: the deadline of each request.

    Raises:
        MilvusError: it did not answer.
    """
    scores: dict[str, dict[str, float]] = {}
    names = vector_fields(config)
    for start in range(0, len(ids), IDS_AT_ONCE):
        rows = rows_of(client, config.collection, ids[start : start + IDS_AT_ONCE], [ID, *names], timeout_s)
        by_field = _field_scores(rows, query, names, config.index.metric)
        for number, row in enumerate(rows):
            scores[str(row[ID])] = {name: float(each[number]) for name, each in by_field.items()}
    return scores


def _scored(
    hits: Sequence[Any], query: Vector, fields: Sequence[str], metric: str
) -> list[tuple[Row, float, dict[str, float]]]:
    rows: list[Row] = [{**hit["entity"], ID: str(hit[ID])} for hit in hits]
    if not rows:
        return []
    by_field = _field_scores(rows, query, fields, metric)
    return [
        (row, float(hit["distance"]), {field: float(scores[number]) for field, scores in by_field.items()})
        for number, (row, hit) in enumerate(zip(rows, hits, strict=True))
    ]


def _field_scores(rows: Sequence[Row], query: Vector, fields: Sequence[str], metric: str) -> dict[str, Vector]:
    """By vector field, float32 (n rows,); the rows lose their vectors."""
    return {
        field: exact_scores(query[None, :], np.asarray([row.pop(field) for row in rows], np.float32), metric)[0]
        for field in fields
        if rows
    }
