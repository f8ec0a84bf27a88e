"""Configuration: frozen typed models. How files, environment and `--set` become one is in `config_load`.

conf/base.yaml says the same defaults with a comment for every key; a test holds the two together.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date
from typing import Annotated, Literal

from pydantic import Field, field_validator

from tuku.config_milvus import FIELD_NAMES, IndexConfig, LoadConfig, MilvusConfig, TlsConfig, VerifyConfig
from tuku.config_serve import ServeConfig
from tuku.config_types import (
    MOST_PER_MIN,
    Address,
    Commit,
    Count,
    Fraction,
    ModelName,
    Name,
    NotNegative,
    Seconds,
    Section,
    Shard,
)

__all__ = [
    "FIELD_NAMES",
    "MOST_PER_MIN",
    "CaptionConfig",
    "Config",
    "DecodeConfig",
    "EmbedConfig",
    "FetchConfig",
    "IndexConfig",
    "LakeConfig",
    "LimitsConfig",
    "LoadConfig",
    "ManifestConfig",
    "MilvusConfig",
    "PlanConfig",
    "PriceConfig",
    "QuotaConfig",
    "QuotaShareConfig",
    "ReportConfig",
    "RerankConfig",
    "RetryConfig",
    "RuntimeConfig",
    "SearchConfig",
    "Section",
    "ServeConfig",
    "StopConfig",
    "TlsConfig",
    "VerifyConfig",
    "WriteConfig",
]


class ManifestConfig(Section):
    """Where the catalogue is listed and how it is read."""

    uri: str | None = None
    format: Literal["auto", "csv", "tsv", "jsonl", "parquet", "folder"] = "auto"
    mode: Literal["append", "snapshot"] = "append"
    encoding: Name = "utf-8"
    limit: Count | None = None
    shard: Shard | None = None
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
    schemes: tuple[Literal["file", "http", "https", "s3", "oss", "gs"], ...] = (
        "file", "http", "https", "s3", "oss", "gs",
    )  # fmt: skip
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
    revision: Commit | None = None
    offline: bool = False
    prompt: Name | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    batch_size: Count | None = None
    max_side_px: Annotated[int, Field(ge=32)] | None = None
    max_tokens: Count | None = None
    parameters: dict[str, bool | int | float | str] = Field(default={})
    base_url: Address | None = None
    concurrency: Count | None = None
    quota: QuotaConfig = QuotaConfig()
    price: PriceConfig = PriceConfig()


class EmbedConfig(Section):
    """Which model fills the vectors."""

    provider: Name = "local"
    model: ModelName | None = None
    revision: Commit | None = None
    offline: bool = False
    dim: Count | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    batch_size: Count | None = None
    max_side_px: Annotated[int, Field(ge=32)] | None = None
    parameters: dict[str, bool | int | float | str] = Field(default={})
    base_url: Address | None = None
    concurrency: Count | None = None
    quota: QuotaConfig = QuotaConfig()
    price: PriceConfig = PriceConfig()


class SearchConfig(Section):
    """How a query's results come about."""

    fusion: Literal["rrf", "weighted"] = "rrf"
    rrf_k: Count = 60
    text_weight: Fraction = 0.5
    picture_weight: Fraction = 0.5
    candidates: Annotated[int, Field(ge=1, le=1_000)] = 100
    timeout_s: Seconds = 20.0


class RerankConfig(Section):
    """Which model looks at the best results again."""

    provider: Name = "none"
    model: ModelName | None = None
    candidates: Annotated[int, Field(ge=2, le=100)] = 9
    max_side_px: Annotated[int, Field(ge=32)] | None = None
    max_tokens: Count | None = None
    parameters: dict[str, bool | int | float | str] = Field(default={})
    base_url: Address | None = None
    concurrency: Count | None = None
    timeout_s: Seconds = 60.0
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
    worker_gpus: NotNegative = 0.0
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
    search: SearchConfig = SearchConfig()
    rerank: RerankConfig = RerankConfig()
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
    serve: ServeConfig = ServeConfig()

    def sha256(self) -> str:
        """Hex digest of every value but the secrets: two runs with the same one were configured alike."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()
