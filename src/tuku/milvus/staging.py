"""Where files for a bulk import wait: a bucket that Milvus reads, or a folder that it shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tuku.errors import ConfigError
from tuku.storage import DiskStorage, Storage, storage_at

if TYPE_CHECKING:
    from tuku.config import LoadConfig

_SCHEMES = {"", "file", "s3"}


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
    def of(cls, config: LoadConfig, collection: str) -> Staging:
        """A place of its own for a collection, below `load.staging_uri`.

        Raises:
            ConfigError: it is not a folder, nor ``s3://bucket/prefix``.
        """
        uri = config.staging_uri or ""
        if urlsplit(uri).scheme not in _SCHEMES:
            raise ConfigError(
                f"load.staging_uri is {uri!r}, and files for Milvus cannot be staged there.",
                "Set it to the bucket that Milvus reads, as s3://bucket/prefix, or to a folder that it shares.",
            )
        root = storage_at(uri)
        return cls(root.below(collection), f"{_seen_at(config, root)}{collection}")

    def path(self, name: str) -> str:
        """How Milvus names a file."""
        return f"{self.seen_at}/{name}"

    def clear(self) -> None:
        """Remove all files of this collection."""
        self.storage.remove_all("")


def _seen_at(config: LoadConfig, root: Storage) -> str:
    """What Milvus puts before the name of a collection's folder."""
    if config.staging_path is not None:
        seen = config.staging_path
    elif isinstance(root, DiskStorage) or config.cluster_id is not None:
        seen = root.uri  # a managed service reads a bucket that is not its own, by its whole address
    else:
        seen = urlsplit(root.uri).path.lstrip("/")
    return f"{seen.rstrip('/')}/" if seen else ""
