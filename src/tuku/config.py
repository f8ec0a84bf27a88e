"""Configuration: frozen typed models. How files, environment and `--set` become one is in `config_load`.

conf/base.yaml says the same defaults with a comment for every key; a test holds the two together.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from tuku.uris import address_fault

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Name = Annotated[str, Field(min_length=1)]


MOST_PER_MIN = 1_000_000_000
"""Of requests or tokens: far beyond any service, and a number that a clock can still pace."""
_MOST_NAME = 200


def _model_name(value: str) -> str:
    if not value.isprintable() or value != value.strip() or len(value) > _MOST_NAME:
        raise ValueError(f"a model's name: at most {_MOST_NAME} characters that can be seen, no blank at its ends")
    return value


def _address(value: str) -> str:
    fault = address_fault(value)
    if fault is not None:
        raise ValueError(f"the address of a service, such as https://host/api/v1; {fault}")
    return value


ColumnName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,254}$")]
ModelName = Annotated[str, Field(min_length=1), AfterValidator(_model_name)]
Address = Annotated[str, Field(min_length=1), AfterValidator(_address)]


class Section(BaseModel):
    """A part of the configuration: immutable, and a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ManifestConfig(Section):
    """Where the catalogue is listed and how it is read."""

    uri: str | None = None
    format: Literal["auto", "csv", "tsv", "jsonl", "parquet", "folder"] = "auto"
    mode: Literal["append", "snapshot"] = "append"
    encoding: Name = "utf-8"
    limit: Count | None = None
    uri_column: Name | None = None
    id_column: Name | None = None

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            "".encode(value)
        except LookupError:
            raise ValueError("a text encoding that Python knows, such as utf-8, gb18030 or latin-1") from None
        return value


class PlanConfig(Section):
    """What tells whether a picture is still the one it was."""

    compare: Literal["source", "content", "uri"] = "source"


class LakeConfig(Section):
    """Where the results are kept."""

    uri: Name = "demo/lake"
    part_mb: Annotated[int, Field(ge=128, le=512)] = 256
    compact_files: Count | None = 500
    keep_days: NotNegative = 7.0
    keep_runs_days: NotNegative = 90.0

    @property
    def part_bytes(self) -> int:
        """`part_mb` in bytes."""
        return self.part_mb * 1_000_000


class FetchConfig(Section):
    """Limits and guards for getting a file's bytes."""

    max_bytes: Count = 50_000_000
    timeout_s: Seconds = 30.0
    max_redirects: Annotated[int, Field(ge=0, le=20)] = 5
    allow_private_networks: bool = False
    allowed_hosts: tuple[Name, ...] = ()
    schemes: tuple[Literal["file", "http", "https"], ...] = ("file", "http", "https")
    concurrency: Count = 32


class DecodeConfig(Section):
    """Limits for turning bytes into pixels."""

    max_pixels: Count = 100_000_000


class QuotaConfig(Section):
    """What one account may ask of one model."""

    requests_per_min: Annotated[int, Field(ge=1, le=MOST_PER_MIN)] | None = None
    tokens_per_min: Annotated[int, Field(ge=1, le=MOST_PER_MIN)] | None = None


class PriceConfig(Section):
    """What a model costs; what is not set is as the provider's description has it."""

    input_per_1k: NotNegative | None = None
    output_per_1k: NotNegative | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    as_of: date | None = None


class CaptionConfig(Section):
    """Which model writes the captions."""

    provider: Name = "local"
    model: ModelName | None = None
    prompt: Name | None = None
    max_side_px: Annotated[int, Field(ge=32)] | None = None
    max_tokens: Count | None = None
    parameters: dict[str, bool | int | float | str] = {}
    base_url: Address | None = None
    concurrency: Count | None = None
    quota: QuotaConfig = QuotaConfig()
    price: PriceConfig = PriceConfig()


class EmbedConfig(Section):
    """Which model fills the vectors."""

    provider: Name = "local"
    model: ModelName | None = None
    dim: Count | None = None
    max_side_px: Annotated[int, Field(ge=32)] | None = None
    parameters: dict[str, bool | int | float | str] = {}
    base_url: Address | None = None
    concurrency: Count | None = None
    quota: QuotaConfig = QuotaConfig()
    price: PriceConfig = PriceConfig()


class QuotaShareConfig(Section):
    """Whose quotas they are, and how much of them this cluster may use."""

    account: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = "default"
    share: Annotated[float, Field(gt=0, le=1)] = 1.0


class RetryConfig(Section):
    """How long a model's service is asked again."""

    attempts: Count = 5
    first_wait_s: NotNegative = 1.0
    max_wait_s: Seconds = 30.0
    max_total_s: Seconds = 600.0
    request_timeout_s: Seconds = 60.0
    max_outage_s: NotNegative = 900.0


class LimitsConfig(Section):
    """Where a run stops or fails."""

    max_cost: NotNegative | None = None
    max_calls: Annotated[int, Field(ge=0)] | None = None
    max_minutes: Annotated[float, Field(gt=0)] | None = None
    max_failed_fraction: Fraction = 0.05
    max_deleted_fraction: Fraction = 0.1


class IndexConfig(Section):
    """The ANN index of every vector field."""

    type: Literal["HNSW", "HNSW_SQ", "IVF_FLAT", "IVF_SQ8", "IVF_PQ", "DISKANN", "FLAT", "AUTOINDEX"] = "HNSW"
    metric: Literal["COSINE", "IP", "L2"] = "COSINE"
    params: dict[str, bool | int | float | str] = {}
    search_params: dict[str, bool | int | float | str] = {}


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
    indexed_metadata: dict[
        Annotated[ColumnName, AfterValidator(_free_name)], Literal["varchar", "int64", "double", "bool"]
    ] = {}
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


class VerifyConfig(Section):
    """What a load must prove."""

    min_recall: Fraction = 0.9
    sample: Count = 50
    keys: bool = True


class WriteConfig(Section):
    """How results reach the lake."""

    flush_interval_s: Seconds = 10.0


class StopConfig(Section):
    """How a run ends when it is told to."""

    grace_s: NotNegative = 30.0


class RuntimeConfig(Section):
    """How the job uses the machine or the cluster."""

    address: Name = "local"
    workers: Annotated[int, Field(ge=0)] = 0
    worker_cpus: Annotated[float, Field(gt=0)] = 1.0
    block_rows: Count = 256
    slice_rows: Count | None = None


class ReportConfig(Section):
    """What report.html shows."""

    gallery: Annotated[int, Field(ge=0, le=200)] = 24
    examples: Annotated[int, Field(ge=0, le=50)] = 5


class Config(Section):
    """The whole configuration of a run."""

    manifest: ManifestConfig = ManifestConfig()
    plan: PlanConfig = PlanConfig()
    lake: LakeConfig = LakeConfig()
    fetch: FetchConfig = FetchConfig()
    decode: DecodeConfig = DecodeConfig()
    caption: CaptionConfig = CaptionConfig()
    embed: EmbedConfig = EmbedConfig()
    quota: QuotaShareConfig = QuotaShareConfig()
    retry: RetryConfig = RetryConfig()
    limits: LimitsConfig = LimitsConfig()
    milvus: MilvusConfig = MilvusConfig()
    load: LoadConfig = LoadConfig()
    verify: VerifyConfig = VerifyConfig()
    write: WriteConfig = WriteConfig()
    stop: StopConfig = StopConfig()
    runtime: RuntimeConfig = RuntimeConfig()
    report: ReportConfig = ReportConfig()

    def sha256(self) -> str:
        """Hex digest of every value but the secrets: two runs with the same one were configured alike."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()
