"""A lake in a folder on a local disk, or on a file system that several hosts share."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tuku.disk import TEMPORARY, explaining, link_new, locked, sync_folder, temporary_beside
from tuku.storage.protocol import Storage, Stored

_LOCK = ".lock"


@dataclass(frozen=True)
class DiskStorage(Storage):
    """See `Storage`. `swap` is exclusive between hosts as far as their file system locks files (NFS does).

    Args:
        root: absolute path of the folder.
    """

    root: Path

    @property
    def uri(self) -> str:
        """See `Storage`: a path."""
        return str(self.root)

    def path(self, name: str) -> Path:
        """Absolute path of a file."""
        return self.root / name

    def below(self, folder: str) -> DiskStorage:
        """See `Storage`."""
        return DiskStorage(self.path(folder))

    def prepare(self) -> None:
        """See `Storage`; makes the root."""
        probe = self.path(f"{TEMPORARY}{uuid.uuid4().hex}")
        with explaining(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            try:
                probe.write_bytes(b"tuku")
            finally:
                probe.unlink(missing_ok=True)

    def free_bytes(self) -> int | None:
        """See `Storage`."""
        with explaining(self.root):
            return shutil.disk_usage(self.root).free

    @contextmanager
    def atomic(self, name: str, *, durable: bool = True) -> Iterator[BinaryIO]:
        """See `Storage`."""
        target = self.path(name)
        # Even removing the temporary file fails on a read-only disk, and that must be explained too.
        with explaining(self.root):
            with temporary_beside(target) as temporary:
                with _written(temporary, durable=durable) as file:
                    yield file
                temporary.replace(target)
            if durable:
                sync_folder(target.parent)

    def create(self, name: str, content: bytes) -> bool:
        """See `Storage`."""
        target = self.path(name)
        with explaining(self.root):
            with temporary_beside(target) as temporary:
                with _written(temporary) as file:
                    file.write(content)
                created = link_new(temporary, target)
            sync_folder(target.parent)
        return created

    def swap(self, name: str, content: bytes, expected: bytes) -> bool:
        """See `Storage`. It is quick, because it does not wait for the disk."""
        target = self.path(name)
        with explaining(self.root), locked(self.path(_LOCK)):
            if self.find(name) != expected:
                return False
            with temporary_beside(target) as temporary:
                temporary.write_bytes(content)
                temporary.replace(target)
        return True

    def growing(self, name: str) -> DiskGrowingFile:
        """See `Storage`."""
        return DiskGrowingFile(self.path(name))

    def find(self, name: str) -> bytes | None:
        """See `Storage`."""
        with explaining(self.path(name)):
            try:
                return self.path(name).read_bytes()
            except FileNotFoundError:
                return None

    def source(self, name: str) -> str:
        """See `Storage`."""
        return str(self.path(name))

    def exists(self, name: str) -> bool:
        """See `Storage`."""
        with explaining(self.path(name)):
            return self.path(name).exists()

    def size(self, name: str) -> int:
        """See `Storage`."""
        with explaining(self.path(name)):
            return self.path(name).stat().st_size

    def files(self, folder: str, suffix: str = "") -> list[str]:
        """See `Storage`."""
        names = (
            entry.name
            for entry in self._entries(folder)
            if entry.name.endswith(suffix) and not entry.name.startswith(TEMPORARY) and entry.is_file()
        )
        return [f"{folder}/{name}" for name in sorted(names)]

    def folders(self, folder: str) -> list[str]:
        """See `Storage`."""
        return sorted(entry.name for entry in self._entries(folder) if entry.is_dir())

    def walk(self, folder: str = "", depth: int | None = None) -> Iterator[Stored]:
        """See `Storage`. Links are passed over, for what they lead to may be anybody's."""
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

    def remove(self, name: str) -> None:
        """See `Storage`."""
        with explaining(self.path(name)):
            self.path(name).unlink(missing_ok=True)

    def remove_all(self, folder: str) -> None:
        """See `Storage`."""
        with explaining(self.path(folder)), suppress(FileNotFoundError):
            shutil.rmtree(self.path(folder))

    def remove_empty(self, folder: str) -> None:
        """See `Storage`."""
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


class DiskGrowingFile:
    """See `GrowingFile`. What is appended is with the system at once, and so survives the end of the process."""

    complete = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = 0
        self._synced = -1  # not even its name
        with explaining(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)

    def append(self, data: bytes) -> None:
        """See `GrowingFile`."""
        rest, whole = memoryview(data), self.size + len(data)
        with explaining(self._path.parent):
            try:
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
            except OSError:
                os.ftruncate(self._descriptor, self.size)  # half of it would hide what comes after it
                raise
        self.size = whole

    def sync(self) -> None:
        """See `GrowingFile`."""
        size = self.size
        if size == self._synced:
            return
        with explaining(self._path.parent):
            os.fsync(self._descriptor)
            if self._synced < 0:
                sync_folder(self._path.parent)
        self._synced = size

    def remove(self) -> None:
        """See `GrowingFile`."""
        with explaining(self._path.parent):
            os.close(self._descriptor)
            self._path.unlink(missing_ok=True)


@contextmanager
def _written(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    with path.open("wb") as file:
        yield file
        if durable:
            file.flush()
            os.fsync(file.fileno())
