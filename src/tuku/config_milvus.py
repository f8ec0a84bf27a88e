"""The configuration of the collection, of how it is filled, and of its proof."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from tuku.config_types import Address, ColumnName, Count, Fraction, Name, Seconds, Section
from tuku.typed_values import ValueType


class IndexConfig(Section):
    """The ANN index of every vector field."""

    type: Literal["HNSW", "HNSW_SQ", "IVF_FLAT", "IVF_SQ8", "IVF_PQ", "DISKANN", "FLAT", "AUTOINDEX"] = "HNSW"
    metric: Literal["COSINE", "IP", "L2"] = "COSINE"
    params: dict[str, bool | int | float | str] = Field(default={})
    search_params: dict[str, bool | int | float | str] = Field(default={})


class TlsConfig(Section):
    """How a server proves who it is, and tuku to it. All are files in PEM."""

    ca_file: Name | None = None
    cert_file: Name | None = None
    key_file: Name | None = None
    server_name: Name | None = None

    @model_validator(mode="after")
    def _whole(self) -> TlsConfig:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together")
        if self.cert_file is not None and self.ca_file is None:
            raise ValueError("cert_file needs ca_file")
        return self


FIELD_NAMES = frozenset(
    {
        *("id", "origin", "image_description", "keywords", "run_id", "caption_model", "embed_model", "content_sha256"),
        *("image_embedding", "text_embedding"),
    }
)
"""What no column of the metadata can be called in a collection."""
_OF_MILVUS = frozenset({"RowID", "Timestamp"})


def _free_name(value: str) -> str:
    if value in FIELD_NAMES | _OF_MILVUS:
        raise ValueError(
            f"other names than {value}: every collection has a field that is called so,"
            f" and a column of this name is found as meta_{value}"
            if value not in _OF_MILVUS
            else f"other names than {value}, which Milvus keeps for itself"
        )
    return value


class MilvusConfig(Section):
    """Where the collection lives and what it looks like."""

    uri: Name = "demo/milvus.db"
    token: SecretStr | None = Field(default=None, exclude=True)
    tls: TlsConfig = TlsConfig()
    db: Name = "default"
    collection: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,199}$")] = "tuku"
    vectors: tuple[Literal["image", "text"], ...] = Field(default=("image", "text"), min_length=1)
    index: IndexConfig = IndexConfig()
    indexed_metadata: dict[Annotated[ColumnName, AfterValidator(_free_name)], ValueType] = Field(default={})
    shards: Count = 1
    partition_key: Name | None = None
    partitions: Count | None = None
    consistency: Literal["Strong", "Session", "Bounded", "Eventually"] = "Bounded"
    mmap: bool | None = None
    replicas: Count = 1
    timeout_s: Seconds = 600.0

    @field_validator("vectors")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("each vector at most once")
        return value

    @model_validator(mode="after")
    def _partitioned_by_a_field(self) -> MilvusConfig:
        if self.partition_key is None:
            if self.partitions is not None:
                raise ValueError("partitions is the number of partitions by partition_key, and that is not set")
        elif self.indexed_metadata.get(self.partition_key) not in {"varchar", "int64"}:
            raise ValueError("partition_key must be in indexed_metadata, as varchar or int64")
        return self


class LoadConfig(Section):
    """How the lake becomes a collection."""

    strategy: Literal["auto", "upsert", "rebuild"] = "auto"
    alias: bool = True
    staging_uri: Name | None = None
    staging_path: Name | None = None
    bulk_import: Literal["auto", "never", "grpc", "rest"] = "auto"
    rest_url: Address | None = None
    cluster_id: Name | None = None
    file_mb: Annotated[int, Field(ge=1, le=4_096)] = 256
    stall_s: Seconds = 900.0
    imports_in_flight: Annotated[int, Field(ge=1, le=1_024)] = 16
    requests_in_flight: Annotated[int, Field(ge=1, le=64)] = 4
    keep: Annotated[int, Field(ge=0)] = 2
    rebuild_fraction: Fraction = 0.5
    batch_rows: Count = 1_000

    @model_validator(mode="after")
    def _imported_from_somewhere(self) -> LoadConfig:
        if self.bulk_import in {"grpc", "rest"} and self.staging_uri is None:
            raise ValueError(
                f"bulk_import is {self.bulk_import}, and staging_uri is not set: the bucket that Milvus reads, or a"
                " folder that it shares"
            )
        return self


class VerifyConfig(Section):
    """What a load must prove."""

    min_recall: Fraction = 0.9
    sample: Count = 50
    keys: bool = True
