"""Objects of a bucket as files: to append to, and to read in parts."""

from __future__ import annotations

import io

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from tuku.storage.bucket_errors import explained
from tuku.storage.protocol import Storage


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
    """An object for pyarrow's readers, range by range."""

    def __init__(self, store: S3Store, name: str) -> None:
        self._store, self._name = store, name
        self._size = obstore.head(store, name)["size"]
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

    def read(self, size: int | None = -1) -> bytes:
        """See `io.RawIOBase`."""
        end = self._size if size is None or size < 0 else min(self._size, self._at + size)
        if end <= self._at:
            return b""
        try:
            content = bytes(obstore.get_range(self._store, self._name, start=self._at, end=end))
        except BaseError as error:
            raise explained(error, self._name) from error
        self._at = end
        return content
