"""Files under one root, by relative path. A file is either whole or absent: writes are atomic.

Object stores come with the issue that brings the cluster; they will fill this same interface.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from tuku.errors import StoppedError, StorageError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_TEMPORARY = ".tmp-"


@dataclass(frozen=True)
class Storage:
    """A folder on a local disk.

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
        """Make sure that the root exists and can be written to, before any work is done.

        Raises:
            StorageError: when it cannot be; with what to do.
        """
        probe = f"{_TEMPORARY}{uuid.uuid4().hex}"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            try:
                self.path(probe).write_bytes(b"tuku")
            finally:
                self.path(probe).unlink(missing_ok=True)
        except OSError as error:
            raise _explained(error, self.root) from error

    @contextmanager
    def atomic(self, name: str) -> Iterator[BinaryIO]:
        """A binary file for writing that appears under its name only when the block ends without an error.

        Raises:
            StoppedError: the disk is full; what was written before is whole.
            StorageError: the folder cannot be written to.
        """
        target = self.path(name)
        temporary = target.with_name(f"{_TEMPORARY}{uuid.uuid4().hex}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("wb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(target)
            finally:
                # Within the outer `try`: on a read-only disk even this fails, and that must be explained too.
                temporary.unlink(missing_ok=True)
            _sync_folder(target.parent)
        except OSError as error:
            raise _explained(error, self.root) from error

    def write(self, name: str, content: bytes) -> None:
        """Write a whole file atomically."""
        with self.atomic(name) as file:
            file.write(content)

    def read(self, name: str) -> bytes:
        """The whole file.

        Raises:
            StorageError: it is not there or cannot be read.
        """
        try:
            return self.path(name).read_bytes()
        except OSError as error:
            raise _explained(error, self.path(name)) from error

    def remove(self, name: str) -> None:
        """Remove a file, if it is there.

        Raises:
            StorageError: it cannot be removed.
        """
        try:
            self.path(name).unlink(missing_ok=True)
        except OSError as error:
            raise _explained(error, self.path(name)) from error

    def exists(self, name: str) -> bool:
        """Whether there is a file or a folder of this name.

        Raises:
            StorageError: a folder on the way cannot be looked into.
        """
        try:
            return self.path(name).exists()
        except OSError as error:
            raise _explained(error, self.path(name)) from error

    def files(self, folder: str, suffix: str = "") -> list[str]:
        """Names (relative to the root, sorted) of the finished files in a folder; empty if there is none."""
        try:
            with os.scandir(self.path(folder)) as entries:
                names = [
                    entry.name
                    for entry in entries
                    if entry.name.endswith(suffix) and not entry.name.startswith(_TEMPORARY) and entry.is_file()
                ]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _explained(error, self.path(folder)) from error
        return [f"{folder}/{name}" for name in sorted(names)]

    def folders(self, folder: str) -> list[str]:
        """Last names (sorted) of the folders in a folder; empty if there is none."""
        try:
            with os.scandir(self.path(folder)) as entries:
                return sorted(entry.name for entry in entries if entry.is_dir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _explained(error, self.path(folder)) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _explained(error: OSError, where: Path) -> StoppedError | StorageError:
    if error.errno in _FULL:
        return StoppedError(
            f"The disk is full: {where} cannot take another file.",
            "What was finished before is whole. Free some space and run the same command again: it goes on from there.",
        )
    reason = (error.strerror or str(error) or type(error).__name__).lower()
    return StorageError(
        f"{where} cannot be used: {reason}.",
        "Check that the folder exists and that you may read and write it, or set lake.uri to another.",
    )
