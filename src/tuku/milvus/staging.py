"""Where files for a bulk import wait: a bucket that Milvus reads, or a folder that it shares."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from tuku.errors import ConfigError, StorageError, TukuError
from tuku.load_ledger import STAGING_FOLDER
from tuku.milvus.address import without_credentials
from tuku.storage import DiskStorage, Storage, storage_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tuku.config import LoadConfig

_SCHEMES = {"", "file", "s3"}
_REMEDY = "Set it to the bucket that Milvus reads, as s3://bucket/prefix, or to a folder that it shares."
_PROBE = b"tuku"


@dataclass(frozen=True)
class Staging:
    """Files of one collection, as tuku writes them and as Milvus names them.

    Attributes:
        storage: where tuku writes.
        seen_at: how Milvus names that place.
    """

    storage: Storage
    seen_at: str

    @classmethod
    def of(cls, config: LoadConfig, folder: str) -> Staging:
        """A folder below `load.staging_uri`.

        Raises:
            ConfigError: it is not a folder, nor ``s3://bucket/prefix``; or a folder, and the Milvus is a managed one.
        """
        root = _root(config)
        return cls(root.below(folder), f"{_seen_at(config, root)}{folder}")

    def path(self, name: str) -> str:
        """How Milvus names a file."""
        return f"{self.seen_at}/{name}"

    def prepare(self) -> None:
        """Make sure that files can be written here: one is, and is removed.

        Raises:
            StorageError: they cannot.
            StoppedError: the bucket does not answer, or the disk is full.
        """
        name = f"probe-{uuid.uuid4().hex}"
        try:
            self.storage.write(name, _PROBE)
            read = self.storage.read(name)
            self.storage.remove(name)
            self.storage.remove_empty("")
        except StorageError as error:
            raise _unstaged(error) from None
        if read != _PROBE:
            raise StorageError(
                f"A file that was written to {self.storage.uri} reads back as something else.",
                "Check load.staging_uri.",
            )


@contextmanager
def staged_file(storage: Storage, name: str) -> Iterator[BinaryIO]:
    """A file for Milvus, as `Storage.atomic` makes it.

    Raises:
        StorageError: it cannot be written. One that the block raises, of the lake it reads, is passed on as it is.
        StoppedError: the bucket does not answer, or the disk is full.
    """
    of_block: TukuError | None = None
    try:
        with storage.atomic(name) as file:
            try:
                yield file
            except TukuError as error:
                of_block = error
                raise
    except StorageError as error:
        if error is of_block:
            raise
        raise _unstaged(error) from error


def _unstaged(error: StorageError) -> StorageError:
    remedy = error.remedy.replace("lake.uri", "load.staging_uri")
    return StorageError(f"Files for Milvus cannot be staged: {error.message}", remedy)


def require_staging(config: LoadConfig) -> None:
    """Make sure that files can be staged, in a folder of its own: other loads may be at work beside it.

    Raises:
        ConfigError, StorageError, StoppedError: as `Staging.of` and `Staging.prepare`.
    """
    Staging.of(config, f"{STAGING_FOLDER}/probe-{uuid.uuid4().hex}").prepare()


def _root(config: LoadConfig) -> Storage:
    uri = config.staging_uri or ""
    parts = urlsplit(uri)
    if parts.scheme not in _SCHEMES or not uri:
        raise ConfigError(
            f"load.staging_uri is {without_credentials(uri)!r}, and files for Milvus cannot be staged there.", _REMEDY
        )
    try:
        root = storage_at(uri)
    except StorageError as error:
        remedy = f"{_REMEDY} Credentials and the endpoint come from the environment (AWS_…)."
        raise ConfigError(
            f"load.staging_uri is {without_credentials(uri)!r}, no address of a bucket.", remedy
        ) from error
    if config.cluster_id is not None and isinstance(root, DiskStorage):
        raise ConfigError(
            "load.cluster_id is set, and load.staging_uri is a folder, which a managed service cannot read.", _REMEDY
        )
    return root


def _seen_at(config: LoadConfig, root: Storage) -> str:
    """What Milvus puts before the name of a collection's folder."""
    if config.staging_path is not None:
        seen = config.staging_path
    elif isinstance(root, DiskStorage) or config.cluster_id is not None:
        seen = root.uri  # a managed service reads a bucket that is not its own, by its whole address
    else:
        seen = urlsplit(root.uri).path.lstrip("/")
    return f"{seen.rstrip('/')}/" if seen else ""
