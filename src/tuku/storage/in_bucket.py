"""A lake in a bucket of an object store that keeps conditions on writes (RFC 9110, 13.1.1 and 13.1.2).

Amazon S3, MinIO, SeaweedFS, Cloudflare R2 and Google Cloud Storage do; Aliyun OSS does not. Where the store is and who
asks comes from the environment of each process: see `bucket_stores`.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

import obstore
import pyarrow as pa
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

from tuku.disk import TEMPORARY, explaining
from tuku.errors import StorageError
from tuku.storage.bucket_errors import explained
from tuku.storage.bucket_files import BucketGrowingFile, BucketReader
from tuku.storage.bucket_stores import VARIABLES, Store, open_bucket
from tuku.storage.protocol import Storage, Stored
from tuku.uris import scheme_of


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
            known = VARIABLES[parts.scheme]
            raise StorageError(
                f"The lake's address is not of the form {parts.scheme}://bucket/prefix.",
                f"Set lake.uri to that; credentials and endpoint come from the environment ({known.prefix}…).",
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
        if scheme_of(self.address) == "oss":  # its answer to If-None-Match (501) looks like a failure that passes
            raise self._unconditional()
        probe = f"{TEMPORARY}{uuid.uuid4().hex}"
        try:
            first, second = self.create(probe, b"1"), self.create(probe, b"2")
        finally:
            self.remove(probe)
        if not first or second:
            raise self._unconditional()

    def _unconditional(self) -> StorageError:
        return StorageError(
            f"The object store of {self.address} does not refuse to overwrite a file when it is told to"
            " (If-None-Match), so that two runs could work on the lake at once.",
            "Keep the lake on Amazon S3, MinIO, SeaweedFS, Google Cloud Storage or another that has conditional writes;"
            " pictures and manifests can stay where they are.",
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
                # S3 tells versions apart by the one, Google by the other.
                known = {name: found.meta[name] for name in ("e_tag", "version")}
                version: Any = {name: value for name, value in known.items() if value is not None}
                obstore.put(self._store, name, content, mode=version)
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
            return pa.PythonFile(BucketReader(self._store, name, self._explained), mode="r")
        except BaseError as error:
            raise self._explained(error) from error

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
    def _store(self) -> Store:
        parts = urlsplit(self.address)
        return open_bucket(parts.scheme, parts.netloc, unquote(parts.path.strip("/")))

    def _explained(self, error: Exception) -> Exception:
        return explained(error, self.address)

    def _listed(self, folder: str) -> Any:
        with self._explaining():
            return obstore.list_with_delimiter(self._store, folder or None)

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except (BaseError, FileNotFoundError) as error:
            raise self._explained(error) from error


def _stored(meta: Mapping[str, Any]) -> Stored:
    return Stored(meta["path"], meta["size"], meta["last_modified"].timestamp())
