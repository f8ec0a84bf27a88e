"""Bulk imports as Milvus offers them: by gRPC (2.3 and newer) or as REST jobs (2.4 and newer, managed services)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from tuku.errors import MilvusError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuku.config import Config


class ImportFailedError(MilvusError):
    """A bulk import failed for good, or got no further. What was imported before is kept for the next load."""

    exit_code = 4


class ForgottenJobError(ImportFailedError):
    """Milvus does not know of an import any more that it had begun: nobody can say whether its rows have arrived."""


@dataclass(frozen=True)
class ImportJob:
    """One import of one file, as Milvus tells of it.

    Attributes:
        job_id: Milvus' own.
        path: of the file, as it was given when the import was started; empty while Milvus does not tell.
        state: what has become of it. Its rows can be searched when it is ``done``.
        percent: how far it is, 0 to 100.
        rows: that were imported (or read, while it is running).
        reason: why it failed.
    """

    job_id: str
    path: str
    state: Literal["running", "done", "failed"]
    percent: int
    rows: int
    reason: str = ""


class Importer(Protocol):
    """Starts bulk imports and says what becomes of them. Every method raises `MilvusError` when Milvus does not answer.

    What it says may be late: a job that has just been started need not be listed at once.
    """

    def start(self, collection: str, path: str) -> str:
        """Start importing a Parquet file; sent once, never again.

        Args:
            collection: that gets the rows.
            path: of the file, as Milvus names it.

        Returns:
            The job's id.
        """
        ...

    def job(self, job_id: str) -> ImportJob:
        """What has become of a job."""
        ...

    def jobs(self, collection: str) -> Sequence[ImportJob]:
        """All jobs that Milvus still knows of for a collection."""
        ...

    def close(self) -> None:
        """Let go of what it has open."""
        ...


def importer(config: Config, kind: Literal["grpc", "rest"]) -> Importer:
    """The importer of a kind."""
    from tuku.milvus.import_grpc import GrpcImporter
    from tuku.milvus.import_rest import RestImporter

    return GrpcImporter(config.milvus) if kind == "grpc" else RestImporter(config)


def probe_imports(config: Config) -> Literal["grpc", "rest"] | None:
    """How bulk imports are started there: REST jobs if it has them, or gRPC; None if neither, or they are not wanted.

    Raises:
        ConfigError: a managed service could not be given the keys to the bucket.
        MilvusError: `load.rest_url` does not answer, or refuses the token.
    """
    from tuku.milvus.import_grpc import GrpcImporter
    from tuku.milvus.import_rest import RestImporter, require_bucket_keys

    asked = config.load.bulk_import
    if asked == "never":
        return None
    if asked != "grpc":
        require_bucket_keys(config.load)
    if asked != "auto":
        return asked
    try:
        if RestImporter(config).is_there():
            return "rest"
    except MilvusError:
        if config.load.rest_url is not None:
            raise
        # What stands before a server may let nothing but gRPC through, and say so in many ways.
    return "grpc" if GrpcImporter(config.milvus).is_there() else None
