"""What a local disk, or a shared file system that looks like one, needs so that files are whole and exclusive."""

from __future__ import annotations

import errno
import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tuku.errors import StoppedError, StorageError

TEMPORARY = ".tmp-"
"""What the names of unfinished files begin with."""

_FULL = {errno.ENOSPC, errno.EDQUOT}
_NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP}
_LOCK_WAIT_S, _LOCK_LOOK_S = 2.0, 0.002


@contextmanager
def explaining(where: Path) -> Iterator[None]:
    """Within the block, an `OSError` becomes one that says what to do.

    Raises:
        StoppedError: the disk is full.
        StorageError: anything else, naming `where`.
    """
    try:
        yield
    except OSError as error:
        raise _explained(error, where) from error


@contextmanager
def temporary_beside(target: Path) -> Iterator[Path]:
    """A path for what is to become `target`; what is there at the end is removed."""
    temporary = target.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def link_new(source: Path, target: Path) -> bool:
    """Give a file a second name, if that is free: exclusive between hosts, on network file systems too.

    Returns:
        Whether the name was free.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        # A network file system may have made the link, lost the answer and asked again: then we are the first.
        return source.stat().st_nlink > 1
    except OSError as error:
        if error.errno in _NO_LINKS:
            raise OSError(error.errno, "its file system has no hard links") from error
        raise
    return True


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Within the block no other process or thread is in such a block; the lock is gone with its process.

    Raises:
        OSError: it could not be had for some seconds. Blocks are short: whoever holds it is stopped.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _lock(descriptor, path)
        try:
            yield
        finally:
            # Closing is not enough: a process that was forked meanwhile has the file open too.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise OSError(errno.ETIMEDOUT, f"another process has held {path} for {_LOCK_WAIT_S:g} s") from None
            time.sleep(_LOCK_LOOK_S)
        else:
            return


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
