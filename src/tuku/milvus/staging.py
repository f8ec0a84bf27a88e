"""Where files for a bulk import wait: a bucket that Milvus reads, or a folder that it shares."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tuku.errors import ConfigError, StorageError
from tuku.load_ledger import STAGING_FOLDER
from tuku.milvus.address import without_credentials
from tuku.storage import DiskStorage, Storage, storage_at

if TYPE_CHECKING:
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
            remedy = error.remedy.replace("lake.uri", "load.staging_uri")
            raise StorageError(f"Files for Milvus cannot be staged: {error.message}", remedy) from None
        if read != _PROBE:
            raise StorageError(
                f"A file that was written to {self.storage.uri} reads back as something else.",
                "Check load.staging_uri.",
            )


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
