"""A folder for what is computed once on a machine and read at every start."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tuku.errors import ConfigError


def cache_folder() -> Path:
    """``$TUKU_CACHE``, or ``.cache/tuku`` in the user's home."""
    configured = os.environ.get("TUKU_CACHE")
    try:
        return Path(configured) if configured else Path.home() / ".cache" / "tuku"
    except RuntimeError as error:
        raise ConfigError(f"There is no folder for converted models: {error}", "Set TUKU_CACHE to one.") from error


def built_once(name: str, build: Callable[[], bytes]) -> Path:
    """The cached file of this name, built first if it is not there.

    The file is whole or absent, whenever the process dies; processes that meet here wait for the first of them.

    Args:
        name: of the file; must tell all that its content depends on.
        build: makes the content.

    Raises:
        ConfigError: the folder cannot be written.
    """
    folder = cache_folder()
    path = folder / name
    if path.exists():
        return path
    with _told_as_configuration(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder):
        if path.exists():
            return path
        content = build()
        with _told_as_configuration(folder):
            _write_atomically(path, content)
    return path


@contextmanager
def _told_as_configuration(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"Cannot keep the converted model in {folder}: {error.strerror or error}.",
            "Set TUKU_CACHE to a folder that can be written and has 50 MB free.",
        ) from error


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # A file system without locks is good enough: then each process builds the file, and the last one stays.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # which ends the lock too


def _write_atomically(path: Path, content: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)  # mkstemp's 0600 would shut others out of a shared cache
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
