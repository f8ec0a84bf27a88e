"""Rows of the collection that readers see, as they are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuku.milvus.calls import milvus_errors
from tuku.milvus.fields import vector_fields
from tuku.milvus.filters import ids_in
from tuku.milvus.search import everything

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymilvus import MilvusClient

    from tuku.config import MilvusConfig

_TIMEOUT_S = 30.0


def find_row(client: MilvusClient, config: MilvusConfig, image_id: str, *, vectors: bool = False) -> dict[str, Any]:
    """All fields of one row by their names, with its vectors if they are wanted; empty if there is no such row.

    Raises:
        MilvusError: the collection did not answer.
    """
    output = [*everything(config), *(vector_fields(config) if vectors else [])]
    found = _query(client, config, ids_in([image_id]), 1, output)
    return found[0] if found else {}


def some_rows(client: MilvusClient, config: MilvusConfig, limit: int) -> list[dict[str, Any]]:
    """All fields but the vectors of so many rows, whichever Milvus gives first.

    Raises:
        MilvusError: the collection did not answer.
    """
    return _query(client, config, "", limit, everything(config))


def _query(
    client: MilvusClient, config: MilvusConfig, where: str, limit: int, output: Sequence[str]
) -> list[dict[str, Any]]:
    with milvus_errors(f"reading rows of {config.collection}"):
        rows = client.query(
            config.collection, filter=where, limit=limit, output_fields=list(output), timeout=_TIMEOUT_S
        )
    return [{name: value for name, value in row.items() if name != "$meta"} for row in rows]
