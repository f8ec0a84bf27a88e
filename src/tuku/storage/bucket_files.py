"""Objects of a bucket as files: to append to, and to read in parts."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import BaseError

from tuku.storage.bucket_stores import Store
from tuku.storage.protocol import Storage

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class BucketGrowingFile:
    """See `GrowingFile`. An object cannot be appended to: it is written again as a whole."""

    def __init__(self, storage: Storage, name: str) -> None:
        self._storage = storage
        self._name = name
        self._content = bytearray()
        self._synced = 0

    @property
    def size(self) -> int:
        """See `GrowingFile`."""
        return len(self._content)

    @property
    def complete(self) -> bool:
        """See `GrowingFile`."""
        return self._synced > 0

    def append(self, data: bytes) -> None:
        """See `GrowingFile`."""
        self._content += data

    def sync(self) -> None:
        """See `GrowingFile`."""
        content = bytes(self._content)
        if len(content) > self._synced:
            self._storage.write(self._name, content)
            self._synced = len(content)

    def remove(self) -> None:
        """See `GrowingFile`."""
        self._storage.remove(self._name)


class BucketReader(io.RawIOBase):
    """An object to be read range by range; each `read` is one request.

    Args:
        store: the bucket's.
        name: key of the object.
        explain: makes what is raised of what the store says.
        pinned: whether an object that is replaced meanwhile is an error.

    Raises:
        FileNotFoundError: there is no such object.
        BaseError: the store did not say how large it is.
    """

    def __init__(
        self, store: Store, name: str, explain: Callable[[Exception], Exception], *, pinned: bool = False
    ) -> None:
        self._store, self._name, self._explain = store, name, explain
        found = obstore.head(store, name)
        self._size = found["size"]
        self._version = found["e_tag"] if pinned else None
        self._at = 0

    def readable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def seekable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def size(self) -> int:
        """Bytes in all; pyarrow asks for it."""
        return self._size

    def tell(self) -> int:
        """See `io.RawIOBase`."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See `io.RawIOBase`."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        """See `io.RawIOBase`."""
        target = memoryview(buffer).cast("B")
        content = self.read(len(target))
        target[: len(content)] = content
        return len(content)

    def read(self, size: int | None = -1) -> bytes:
        """See `io.RawIOBase`."""
        end = self._size if size is None or size < 0 else min(self._size, self._at + size)
        if end <= self._at:
            return b""
        options: Any = {"range": (self._at, end), **({"if_match": self._version} if self._version else {})}
        try:
            content = bytes(obstore.get(self._store, self._name, options=options).bytes())
        except BaseError as error:
            raise self._explain(error) from error
        self._at += len(content)
        return content
