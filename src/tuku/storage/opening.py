"""From a URI to a storage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tuku.errors import ConfigError, StorageError
from tuku.storage.on_disk import DiskStorage
from tuku.storage.protocol import Storage
from tuku.uris import STORES


def storage_at(uri: str) -> Storage:
    """The storage that a URI or a path names; nothing is opened yet.

    Raises:
        StorageError: for a scheme that is not supported, a URI with credentials in it, or the home of nobody.
        ConfigError: it is in a bucket, and the package for that is missing.
    """
    parts = urlsplit(uri)
    if parts.scheme in STORES:
        with package_needed("A lake in a bucket"):
            # Where the lake is on a disk, nothing of this has to be installed.
            from tuku.storage.in_bucket import BucketStorage
        return BucketStorage.at(uri)
    if parts.scheme == "file":
        return DiskStorage(Path(unquote(parts.path)).resolve())
    if "://" in uri:
        raise StorageError(
            f"A lake cannot be kept at {parts.scheme}:// yet.", "Set lake.uri to a folder or to s3://bucket/prefix."
        )
    try:
        return DiskStorage(Path(uri).expanduser().resolve())
    except RuntimeError as error:
        raise StorageError(f"{uri!r} is no path: {error}", "Name a folder, or s3://bucket/prefix.") from None


@contextmanager
def package_needed(what: str) -> Iterator[None]:
    """Around imports of what talks to object stores.

    Args:
        what: needs it, for the message.

    Raises:
        ConfigError: the package is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "obstore":
            raise
        raise ConfigError(f"{what} needs the package obstore.", "Install it: pip install 'tuku[s3]'.") from error
