"""The fields of the collection: names, types, limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuku.typed_values import MAX_TEXT_BYTES, ValueType

if TYPE_CHECKING:
    from pymilvus import CollectionSchema, DataType

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


@dataclass(frozen=True)
class Typed:
    """A column of the metadata that is a field of its own.

    Attributes:
        kind: its type.
        nullable: whether a row may lack it.
        partitioned: rows are kept together by it; one that lacks it is filed under the type's zero.
    """

    kind: ValueType
    nullable: bool = True
    partitioned: bool = False


@dataclass(frozen=True)
class Layout:
    """The fields that differ from collection to collection.

    Attributes:
        vectors: names of the vector fields.
        dim: their length.
        typed: by name, what of the metadata is a field of its own; the rest is dynamic.
    """

    vectors: tuple[str, ...]
    dim: int
    typed: Mapping[str, Typed] = field(default_factory=dict)

    @classmethod
    def wanted(cls, config: MilvusConfig, dim: int, *, nulls: bool) -> Layout:
        """As the configuration has it.

        Args:
            config: which vectors, and which metadata are fields.
            dim: length of the vectors.
            nulls: whether this Milvus knows them.
        """
        typed = {
            name: Typed(kind, nulls and name != config.partition_key, name == config.partition_key)
            for name, kind in config.indexed_metadata.items()
        }
        return cls(tuple(vector_fields(config)), dim, typed)

    @classmethod
    def found(cls, description: Mapping[str, Any]) -> Layout:
        """Of a collection that is there, from Milvus' description of it."""
        about = {each["name"]: each for each in description["fields"]}
        dims = {name: int(each["params"]["dim"]) for name, each in about.items() if "dim" in each.get("params", {})}
        kinds = {int(_data_type(kind)): kind for kind in _KINDS}
        typed = {
            name: Typed(kinds[int(each["type"])], bool(each.get("nullable")), bool(each.get("is_partition_key")))
            for name, each in about.items()
            if name not in dims and name not in scalar_fields() and int(each["type"]) in kinds
        }
        return cls(tuple(dims), next(iter(dims.values()), 0), typed)


def vector_fields(config: MilvusConfig) -> list[str]:
    """Names of the configured vector fields; the lake's columns bear the same names."""
    return [f"{kind}_embedding" for kind in config.vectors]


def scalar_fields() -> list[str]:
    """Names of the fields that are neither vectors nor metadata."""
    return [*MAX_BYTES, KEYWORDS]


_KINDS: tuple[ValueType, ...] = ("varchar", "int64", "double", "bool")


def _data_type(kind: ValueType) -> DataType:
    from pymilvus import DataType

    return DataType[kind.upper()]


def collection_schema(layout: Layout) -> CollectionSchema:
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
    for name in layout.vectors:
        schema.add_field(name, DataType.FLOAT_VECTOR, dim=layout.dim)
    for name, typed in layout.typed.items():
        options: dict[str, Any] = {"max_length": MAX_TEXT_BYTES} if typed.kind == "varchar" else {}
        options |= {"nullable": True} if typed.nullable else {}
        options |= {"is_partition_key": True} if typed.partitioned else {}
        schema.add_field(name, _data_type(typed.kind), **options)
    return schema
