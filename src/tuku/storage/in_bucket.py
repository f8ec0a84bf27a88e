"""A lake in a bucket of an object store that speaks S3 and keeps conditions on writes (RFC 9110, 13.1.1 and 13.1.2).

Amazon S3, MinIO, SeaweedFS and Cloudflare R2 do. Endpoint, region and credentials come from the environment of each
process (``AWS_ENDPOINT_URL``, ``AWS_REGION``, ``AWS_ACCESS_KEY_ID`` …) or from the pod's or machine's identity.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import obstore
import pyarrow as pa
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import S3Store

from tuku.disk import TEMPORARY, explaining
from tuku.errors import StorageError
from tuku.storage.bucket_errors import explained
from tuku.storage.bucket_files import BucketGrowingFile, BucketReader
from tuku.storage.protocol import Storage, Stored

_RETRY: Any = {"max_retries": 8, "retry_timeout": timedelta(seconds=60)}


@dataclass(frozen=True)
class BucketStorage(Storage):
    """See `Storage`. It holds no connection and no secret, so that it may travel between processes.

    Args:
        address: ``s3://bucket/prefix``, without a slash at its end.
    """

    address: str

    @classmethod
    def at(cls, uri: str) -> BucketStorage:
        """The storage at a URI.

        Raises:
            StorageError: it has no bucket, or more than a bucket and a prefix.
        """
        parts = urlsplit(uri)
        if not parts.netloc or "@" in parts.netloc or ":" in parts.netloc or parts.query or parts.fragment:
            raise StorageError(
                f"The lake's address is not of the form {parts.scheme}://bucket/prefix.",
                "Set lake.uri to that; credentials and the endpoint come from the environment (AWS_…).",
            )
        return cls(uri.rstrip("/"))

    @property
    def uri(self) -> str:
        """See `Storage`."""
        return self.address

    def below(self, folder: str) -> BucketStorage:
        """See `Storage`."""
        return BucketStorage(f"{self.address}/{folder}")

    def prepare(self) -> None:
        """See `Storage`; makes sure of conditional writes too."""
        probe = f"{TEMPORARY}{uuid.uuid4().hex}"
        try:
            first, second = self.create(probe, b"1"), self.create(probe, b"2")
        finally:
            self.remove(probe)
        if not first or second:
            raise StorageError(
                f"The object store of {self.address} does not refuse to overwrite a file when it is told to"
                " (If-None-Match), so that two runs could work on the lake at once.",
                "Keep the lake on Amazon S3, MinIO, SeaweedFS or another that has conditional writes.",
            )

    def free_bytes(self) -> int | None:
        """See `Storage`."""
        return None

    @contextmanager
    def atomic(self, name: str, *, durable: bool = True) -> Iterator[BinaryIO]:  # noqa: ARG002  it always is
        """See `Storage`. It is set aside on the local disk until it is whole."""
        with explaining(Path(tempfile.gettempdir())), tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            with self._explaining():
                obstore.put(self._store, name, file)

    def create(self, name: str, content: bytes) -> bool:
        """See `Storage`."""
        with self._explaining():
            try:
                obstore.put(self._store, name, content, mode="create")
            except AlreadyExistsError:
                # It may be ours: a request whose answer is lost is sent again.
                return self.find(name) == content
        return True

    def swap(self, name: str, content: bytes, expected: bytes) -> bool:
        """See `Storage`."""
        with self._explaining():
            try:
                found = obstore.get(self._store, name)
                if bytes(found.bytes()) != expected:
                    return False
                obstore.put(self._store, name, content, mode={"e_tag": found.meta["e_tag"]})
            except FileNotFoundError:
                return False
            except PreconditionError:
                return self.find(name) == content  # as in `create`
        return True

    def growing(self, name: str) -> BucketGrowingFile:
        """See `Storage`. What is appended is kept in memory until `sync`."""
        return BucketGrowingFile(self, name)

    def find(self, name: str) -> bytes | None:
        """See `Storage`."""
        with self._explaining():
            try:
                return bytes(obstore.get(self._store, name).bytes())
            except FileNotFoundError:
                return None

    def source(self, name: str) -> pa.PythonFile:
        """See `Storage`."""
        try:
            return pa.PythonFile(BucketReader(self._store, name), mode="r")
        except BaseError as error:
            raise explained(error, self.address) from error

    def exists(self, name: str) -> bool:
        """See `Storage`."""
        with self._explaining():
            try:
                obstore.head(self._store, name)
            except FileNotFoundError:
                return any(len(found) for found in obstore.list(self._store, name, chunk_size=1))
        return True

    def size(self, name: str) -> int:
        """See `Storage`."""
        with self._explaining():
            return obstore.head(self._store, name)["size"]

    def files(self, folder: str, suffix: str = "") -> list[str]:
        """See `Storage`."""
        found = (_stored(each) for each in self._listed(folder)["objects"])
        return sorted(file.name for file in found if file.name.endswith(suffix) and not file.unfinished)

    def folders(self, folder: str) -> list[str]:
        """See `Storage`."""
        return sorted(name.rpartition("/")[2] for name in self._listed(folder)["common_prefixes"])

    def walk(self, folder: str = "", depth: int | None = None) -> Iterator[Stored]:
        """See `Storage`."""
        if depth is None:
            with self._explaining():
                for chunk in obstore.list(self._store, folder or None):
                    yield from map(_stored, chunk)
            return
        listed = self._listed(folder)
        yield from map(_stored, listed["objects"])
        for below in listed["common_prefixes"] if depth > 1 else ():
            yield from self.walk(below, depth - 1)

    def remove(self, name: str) -> None:
        """See `Storage`."""
        with self._explaining():
            try:
                obstore.delete(self._store, name)
            except FileNotFoundError:
                return

    def remove_all(self, folder: str) -> None:
        """See `Storage`."""
        names = [stored.name for stored in self.walk(folder)]
        if names:
            with self._explaining():
                obstore.delete(self._store, names)

    def remove_empty(self, folder: str) -> None:
        """See `Storage`. There are no empty folders."""

    @property
    def _store(self) -> S3Store:
        return _store(self.address, os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT") or "")

    def _listed(self, folder: str) -> Any:
        with self._explaining():
            return obstore.list_with_delimiter(self._store, folder or None)

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except (BaseError, FileNotFoundError) as error:
            raise explained(error, self.address) from error


@lru_cache(maxsize=8)
def _store(address: str, endpoint: str) -> S3Store:
    options: Any = {"allow_http": True} if endpoint.startswith("http://") else {}
    store: S3Store = S3Store.from_url(address, client_options=options, retry_config=_RETRY)
    return store


def _stored(meta: Mapping[str, Any]) -> Stored:
    return Stored(meta["path"], meta["size"], meta["last_modified"].timestamp())
