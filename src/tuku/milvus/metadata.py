"""What is known of the metadata of a collection's images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuku.milvus.calls import milvus_errors
from tuku.milvus.fields import ID, scalar_fields
from tuku.milvus.filters import exists

if TYPE_CHECKING:
    from pymilvus import MilvusClient

    from tuku.config import MilvusConfig

_TIMEOUT_S = 30.0


def sample(client: MilvusClient, config: MilvusConfig, rows: int) -> list[dict[str, Any]]:
    """The metadata of so many rows, whichever Milvus gives first, by the fields' names.

    Raises:
        MilvusError: the collection did not answer.
    """
    wanted = [*config.indexed_metadata, "$meta"]
    with milvus_errors(f"reading the metadata of {config.collection}"):
        found = client.query(config.collection, filter="", limit=rows, output_fields=wanted, timeout=_TIMEOUT_S)
    others = {*scalar_fields(), "$meta"}
    return [{name: value for name, value in row.items() if name not in others} for row in found]


def has_field(client: MilvusClient, config: MilvusConfig, name: str) -> bool:
    """Whether any row has a dynamic field of this name.

    Raises:
        MilvusError: the collection did not answer.
    """
    with milvus_errors(f"looking for {name} in {config.collection}"):
        found = client.query(config.collection, filter=exists(name), limit=1, output_fields=[ID], timeout=_TIMEOUT_S)
    return bool(found)
