"""The fields of the collection: names, types, limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymilvus import CollectionSchema

    from tuku.config import MilvusConfig

ID = "id"
KEYWORDS = "keywords"
# Bytes of UTF-8: Milvus servers count bytes (Milvus Lite counts characters).
MAX_BYTES = {
    ID: 512,
    "origin": 4_096,
    "image_description": 8_192,
    "run_id": 256,
    "caption_model": 512,
    "embed_model": 512,
    "content_sha256": 64,
}
# Collection field ← lake column, where the names differ.
LAKE_COLUMN = {ID: "image_id", "origin": "uri", "image_description": "caption"}
MAX_KEYWORDS = 64
MAX_KEYWORD_BYTES = 256
# The dynamic fields of one row together: Milvus' limit for a JSON value.
MAX_METADATA_BYTES = 65_536


def vector_fields(config: MilvusConfig) -> list[str]:
    """Names of the configured vector fields; the lake's columns bear the same names."""
    return [f"{kind}_embedding" for kind in config.vectors]


def scalar_fields() -> list[str]:
    """Names of the fields that are neither vectors nor metadata."""
    return [*MAX_BYTES, KEYWORDS]


def collection_schema(vectors: Sequence[str], dim: int) -> CollectionSchema:
    """The schema of a new collection."""
    from pymilvus import DataType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=True)
    for name, limit in MAX_BYTES.items():
        schema.add_field(name, DataType.VARCHAR, max_length=limit, is_primary=name == ID)
    schema.add_field(
        KEYWORDS,
        DataType.ARRAY,
        element_type=DataType.VARCHAR,
        max_capacity=MAX_KEYWORDS,
        max_length=MAX_KEYWORD_BYTES,
    )
    for name in vectors:
        schema.add_field(name, DataType.FLOAT_VECTOR, dim=dim)
    return schema
