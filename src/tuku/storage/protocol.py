"""What a lake needs of the place where it is kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

from tuku.disk import TEMPORARY
from tuku.errors import StorageError


@dataclass(frozen=True)
class Stored:
    """A file in a storage.

    Attributes:
        name: relative to the root.
        size: bytes.
        modified_s: when it was last written, seconds since 1970.
    """

    name: str
    size: int
    modified_s: float

    @property
    def unfinished(self) -> bool:
        """Whether it was being written, and perhaps still is."""
        return self.name.rpartition("/")[2].startswith(TEMPORARY)


class GrowingFile(Protocol):
    """A file that is appended to. Whoever uses it sees to it that threads do not get in each other's way."""

    @property
    def size(self) -> int:
        """Bytes that were appended."""
        ...

    @property
    def complete(self) -> bool:
        """Whether to append more would mean to write all of it again."""
        ...

    def append(self, data: bytes) -> None:
        """Add these bytes, or none of them. On a disk they survive the end of the process."""
        ...

    def sync(self) -> None:
        """Make what was appended survive the end of the machine."""
        ...

    def remove(self) -> None:
        """End it, and remove what there is of it."""
        ...


class Storage(ABC):
    """Files under one root, by relative path with slashes. A file is either whole or absent: writes are atomic.

    Every method raises `StoppedError` for what passes or can be mended while the lake stays as it is (a full disk, a
    service that is down), and `StorageError` for whatever else is refused. Both say what to do.
    """

    @property
    @abstractmethod
    def uri(self) -> str:
        """Where it is, for people and for `storage_at`."""

    def where(self, name: str) -> str:
        """Where a file is, for people."""
        return f"{self.uri.rstrip('/')}/{name}"

    @abstractmethod
    def below(self, folder: str) -> Storage:
        """The storage whose root is one of this one's folders."""

    @abstractmethod
    def prepare(self) -> None:
        """Make sure that files can be written, before any work is done."""

    @abstractmethod
    def free_bytes(self) -> int | None:
        """How much room is left; None where there is no end to it."""

    @abstractmethod
    def atomic(self, name: str, *, durable: bool = True) -> AbstractContextManager[BinaryIO]:
        """A binary file for writing that appears under its name only when the block ends without an error.

        Args:
            name: the file.
            durable: whether it must survive a power failure.
        """

    def write(self, name: str, content: bytes) -> None:
        """Write a whole file atomically, in the place of an older one."""
        with self.atomic(name) as file:
            file.write(content)

    @abstractmethod
    def create(self, name: str, content: bytes) -> bool:
        """Write a whole file, only if there is none of its name.

        Args:
            name: the file.
            content: other than what anybody else would write.

        Returns:
            Whether there was none. Of several processes, also on several hosts, exactly one is told so.
        """

    @abstractmethod
    def swap(self, name: str, content: bytes, expected: bytes) -> bool:
        """Replace a file, only if its content is what the caller thinks. After a power failure the older may be there.

        Args:
            name: the file.
            content: what it shall hold; other than what anybody else would write.
            expected: what it must hold now.

        Returns:
            Whether it did. Of several processes that expect the same, exactly one is told so.
        """

    @abstractmethod
    def growing(self, name: str) -> GrowingFile:
        """A new file to append to."""

    @abstractmethod
    def find(self, name: str) -> bytes | None:
        """The whole file; None if it is not there."""

    def read(self, name: str) -> bytes:
        """The whole file; a `StorageError` if it is not there."""
        content = self.find(name)
        if content is None:
            raise StorageError(f"{self.where(name)} cannot be used: no such file.", "Check lake.uri.")
        return content

    @abstractmethod
    def source(self, name: str) -> Any:
        """The file as pyarrow's readers take it.

        Raises:
            OSError: here or when it is read; whoever reads says what the file is.
        """

    @abstractmethod
    def exists(self, name: str) -> bool:
        """Whether there is a file or a folder of this name."""

    @abstractmethod
    def size(self, name: str) -> int:
        """Bytes of a file."""

    @abstractmethod
    def files(self, folder: str, suffix: str = "") -> list[str]:
        """Names (relative to the root, sorted) of the finished files in a folder; empty if there is none."""

    @abstractmethod
    def folders(self, folder: str) -> list[str]:
        """Last names (sorted) of the folders in a folder; empty if there is none."""

    @abstractmethod
    def walk(self, folder: str = "", depth: int | None = None) -> Iterator[Stored]:
        """All files below a folder (the root, when none is named), unfinished ones too, with its folders to a depth."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    @abstractmethod
    def remove_all(self, folder: str) -> None:
        """Remove a folder with all that is in it, if it is there."""

    @abstractmethod
    def remove_empty(self, folder: str) -> None:
        """Remove a folder and those in it, as far as there is nothing in them."""
