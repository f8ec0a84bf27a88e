"""Files under one root, by relative path. A file is either whole or absent: writes are atomic.

Object stores come with the issue that brings the cluster; they will fill this same interface: `create` is a PUT with
``If-None-Match: *``, `swap` one with ``If-Match``.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from tuku.disk import TEMPORARY, explaining, link_new, locked, sync_folder, temporary_beside
from tuku.errors import StorageError

_LOCK = ".lock"


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


@dataclass(frozen=True)
class Storage:
    """A folder on a local disk, or on a file system that several hosts share.

    Every method raises `StoppedError` when the disk is full (what was written before is whole) and `StorageError` for
    whatever else the disk refuses; both say what to do.

    Args:
        root: absolute path of the folder.
    """

    root: Path

    @classmethod
    def at(cls, uri: str) -> Storage:
        """The storage that a URI or a path names.

        Raises:
            StorageError: for a scheme that is not supported.
        """
        parts = urlsplit(uri)
        if parts.scheme == "file":
            return cls(Path(unquote(parts.path)).resolve())
        if "://" in uri:
            raise StorageError(
                f"A lake cannot be kept at {parts.scheme}:// yet.", "Set lake.uri to a folder on a local disk."
            )
        return cls(Path(uri).expanduser().resolve())

    def path(self, name: str) -> Path:
        """Absolute path of a file; `name` is relative to the root and written with slashes."""
        return self.root / name

    def prepare(self) -> None:
        """Make sure that the root exists and can be written to, before any work is done."""
        probe = self.path(f"{TEMPORARY}{uuid.uuid4().hex}")
        with explaining(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            try:
                probe.write_bytes(b"tuku")
            finally:
                probe.unlink(missing_ok=True)

    @contextmanager
    def atomic(self, name: str) -> Iterator[BinaryIO]:
        """A binary file for writing that appears under its name only when the block ends without an error."""
        target = self.path(name)
        # Even removing the temporary file fails on a read-only disk, and that must be explained too.
        with explaining(self.root):
            with temporary_beside(target) as temporary:
                with _durable(temporary) as file:
                    yield file
                temporary.replace(target)
            sync_folder(target.parent)

    def write(self, name: str, content: bytes) -> None:
        """Write a whole file atomically, in the place of an older one."""
        with self.atomic(name) as file:
            file.write(content)

    def create(self, name: str, content: bytes) -> bool:
        """Write a whole file, only if there is none of its name.

        Returns:
            Whether there was none. Of several processes, also on several hosts, exactly one is told so.
        """
        target = self.path(name)
        with explaining(self.root):
            with temporary_beside(target) as temporary:
                with _durable(temporary) as file:
                    file.write(content)
                created = link_new(temporary, target)
            sync_folder(target.parent)
        return created

    def swap(self, name: str, content: bytes | None, expected: bytes) -> bool:
        """Replace a file, or remove it, only if its content is what the caller thinks.

        It is quick, because it does not wait for the disk: after a power failure the older content may be there.

        Args:
            name: the file.
            content: what it shall hold; None removes it.
            expected: what it must hold now.

        Returns:
            Whether it did. Of several processes that expect the same, exactly one is told so; between hosts as far as
            their file system locks files (NFS does).
        """
        target = self.path(name)
        with explaining(self.root), locked(self.path(_LOCK)):
            if self.find(name) != expected:
                return False
            if content is None:
                target.unlink()
            else:
                with temporary_beside(target) as temporary:
                    temporary.write_bytes(content)
                    temporary.replace(target)
        return True

    def read(self, name: str) -> bytes:
        """The whole file; a `StorageError` if it is not there."""
        with explaining(self.path(name)):
            return self.path(name).read_bytes()

    def find(self, name: str) -> bytes | None:
        """The whole file; None if it is not there."""
        with explaining(self.path(name)):
            try:
                return self.path(name).read_bytes()
            except FileNotFoundError:
                return None

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with explaining(self.path(name)):
            self.path(name).unlink(missing_ok=True)

    def exists(self, name: str) -> bool:
        """Whether there is a file or a folder of this name."""
        with explaining(self.path(name)):
            return self.path(name).exists()

    def size(self, name: str) -> int:
        """Bytes of a file."""
        with explaining(self.path(name)):
            return self.path(name).stat().st_size

    def files(self, folder: str, suffix: str = "") -> list[str]:
        """Names (relative to the root, sorted) of the finished files in a folder; empty if there is none."""
        names = (
            entry.name
            for entry in self._entries(folder)
            if entry.name.endswith(suffix) and not entry.name.startswith(TEMPORARY) and entry.is_file()
        )
        return [f"{folder}/{name}" for name in sorted(names)]

    def folders(self, folder: str) -> list[str]:
        """Last names (sorted) of the folders in a folder; empty if there is none."""
        return sorted(entry.name for entry in self._entries(folder) if entry.is_dir())

    def walk(self, folder: str = "", depth: int | None = None) -> Iterator[Stored]:
        """All files below a folder (the root, when none is named), unfinished ones too, with its folders to a depth.

        Links are passed over, for what they lead to may be anybody's.
        """
        if folder and self.path(folder).is_symlink():
            return
        for entry in sorted(self._entries(folder), key=lambda entry: entry.name):
            name = f"{folder}/{entry.name}".lstrip("/")
            if entry.is_dir(follow_symlinks=False):
                if depth is None or depth > 1:
                    yield from self.walk(name, None if depth is None else depth - 1)
            elif entry.is_file(follow_symlinks=False):
                try:
                    found = entry.stat(follow_symlinks=False)
                except FileNotFoundError:  # it was a file that somebody has just finished
                    continue
                yield Stored(name, found.st_size, found.st_mtime)

    def remove_empty(self, folder: str) -> None:
        """Remove a folder and those in it, as far as there is nothing in them."""
        with explaining(self.path(folder)):
            for path, _, _ in os.walk(self.path(folder), topdown=False):
                if not any(Path(path).iterdir()):
                    Path(path).rmdir()

    def _entries(self, folder: str) -> Iterator[os.DirEntry[str]]:
        with explaining(self.path(folder)):
            try:
                with os.scandir(self.path(folder)) as entries:
                    yield from entries
            except FileNotFoundError:
                return


@contextmanager
def _durable(path: Path) -> Iterator[BinaryIO]:
    with path.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
