"""Retrieval: nearest neighbours of vectors in one field."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from tuku.milvus.calls import milvus_errors
from tuku.milvus.fields import ID, scalar_fields
from tuku.milvus.filters import ids_in, is_bare
from tuku.milvus.index_params import Params, wanted_params

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    from pymilvus import MilvusClient

    from tuku.config import IndexConfig, MilvusConfig


MIN_EF = 64
MAX_EF = 32_768  # Milvus takes no more
MIN_NPROBE = 16
MAX_SEARCH_LIST = 65_535
IDS_AT_ONCE = 500
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Hit:
    """One result.

    Attributes:
        id: the image's id.
        score: higher is better: cosine or inner product as they are, L2 as the negative squared distance.
        fields: the output fields that were asked for, dynamic ones by their names.
    """

    id: str
    score: float
    fields: dict[str, Any]


def everything(config: MilvusConfig) -> list[str]:
    """All fields but the vectors; $meta stands for all dynamic ones."""
    return [*scalar_fields(), *config.indexed_metadata, "$meta"]


def only(config: MilvusConfig, names: Sequence[str]) -> list[str]:
    """The id and these fields; a dynamic one that cannot be asked for by its name brings all the others along."""
    own = {*scalar_fields(), *config.indexed_metadata}
    return list(dict.fromkeys([ID, *(name if name in own or is_bare(name) else "$meta" for name in names)]))


def search_params(index: IndexConfig, limit: int, *, thorough: bool = False) -> Params:
    """How hard the index looks: more for longer result lists, most of all for a proof.

    Args:
        index: its type, and `search_params` that override. A list of candidates is never shorter than the results.
        limit: results wanted, the offset included.
        thorough: for looking up what is known to be there.
    """
    params: Params = {}
    if index.type.startswith("HNSW"):
        params["ef"] = MAX_EF if thorough else max(MIN_EF, 2 * limit)
    elif index.type == "AUTOINDEX" and thorough:
        params["ef"] = MAX_EF  # it is an HNSW in Lite and in open-source servers
    elif index.type.startswith("IVF"):
        nlist = int(wanted_params(index)["nlist"])
        params["nprobe"] = nlist if thorough else min(nlist, max(MIN_NPROBE, nlist // 16))
    elif index.type == "DISKANN":
        # Milvus before 2.4 takes no more than 200, or ten times the results.
        params["search_list"] = min(MAX_SEARCH_LIST, max(200, 10 * limit) if thorough else max(MIN_EF, 2 * limit))
    if thorough:
        return params
    params |= index.search_params
    return params | {name: max(int(params[name]), limit) for name in ("ef", "search_list") if name in params}


def search(
    client: MilvusClient,
    name: str,
    field: str,
    vectors: npt.NDArray[np.float32],
    index: IndexConfig,
    *,
    limit: int = 10,
    offset: int = 0,
    where: str = "",
    output: Sequence[str],
    thorough: bool = False,
    strong: bool = False,
    timeout_s: float = TIMEOUT_S,
) -> list[list[Hit]]:
    """The nearest rows of each query, best first.

    Args:
        client: an open client.
        name: a collection or alias, loaded.
        field: ``image_embedding`` or ``text_embedding``.
        vectors: queries, float32 (n, dim), of the model that the collection is stamped with.
        index: of the field.
        limit: results for each query.
        offset: results to leave out before.
        where: a Milvus filter expression, its literals quoted by `filters.quoted`.
        output: fields to return.
        thorough: looks as hard as the index can.
        strong: sees every row written before (slower on a server).
        timeout_s: the deadline of each request.
    """
    request = {"anns_field": field, "filter": where, "limit": limit, "output_fields": list(output)}
    request |= {"offset": offset} if offset else {}
    request |= {"consistency_level": "Strong"} if strong else {}
    ask = partial(_ask, client, name, list(vectors), index, request, timeout_s)
    found = ask(search_params(index, limit + offset, thorough=thorough))
    if where and any(len(hits) < limit for hits in found):
        # Lite walks the graph past rows that the filter excludes, and gives up after `ef` of them.
        found = ask(search_params(index, limit + offset, thorough=True))
    return found


def rows_of(
    client: MilvusClient, name: str, ids: Sequence[str], output: Sequence[str], timeout_s: float = TIMEOUT_S
) -> list[dict[str, Any]]:
    """The rows with these primary keys that there are, in any order; `timeout_s` is the deadline of each request.

    Raises:
        MilvusError: the collection did not answer.
    """
    found: list[dict[str, Any]] = []
    for start in range(0, len(ids), IDS_AT_ONCE):
        some = ids[start : start + IDS_AT_ONCE]
        with milvus_errors(f"reading rows of {name}"):
            found += client.query(name, filter=ids_in(some), output_fields=list(output), timeout=timeout_s)
    return found


def some_rows(
    client: MilvusClient, name: str, where: str, limit: int, output: Sequence[str], timeout_s: float
) -> list[dict[str, Any]]:
    """So many rows that meet a filter (empty: any), whichever Milvus gives first.

    Raises:
        MilvusError: the collection did not answer.
    """
    with milvus_errors(f"reading rows of {name}"):
        found: list[dict[str, Any]] = client.query(
            name, filter=where, limit=limit, output_fields=list(output), timeout=timeout_s
        )
    return found


def _ask(
    client: MilvusClient,
    name: str,
    vectors: list[npt.NDArray[np.float32]],
    index: IndexConfig,
    request: dict[str, Any],
    timeout_s: float,
    params: Params,
) -> list[list[Hit]]:
    with milvus_errors(f"searching {name}.{request['anns_field']}"):
        answer = client.search(
            name,
            data=vectors,
            search_params={"metric_type": index.metric, "params": params},
            timeout=timeout_s,
            **request,
        )
    sign = -1.0 if index.metric == "L2" else 1.0
    return [[Hit(str(hit[ID]), sign * float(hit["distance"]), dict(hit["entity"])) for hit in hits] for hits in answer]
