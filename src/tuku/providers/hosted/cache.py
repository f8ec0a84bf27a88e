"""A folder for what is computed once on a machine and read at every start."""

from __future__ import annotations

import fcntl
import os
import shutil
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

    def write(path: Path) -> None:
        content = build()
        with _told_as_configuration(path.parent, "50 MB free"):
            _write_atomically(path, content)

    return _made_once(name, write)


def folder_built_once(name: str, fill: Callable[[Path], None]) -> Path:
    """The cached folder of this name, built first if it is not there; otherwise like `built_once`.

    Args:
        name: of the folder; must tell all that its content depends on.
        fill: writes its files into the empty folder that it is given.

    Raises:
        ConfigError: the folder cannot be written.
    """

    def write(path: Path) -> None:
        with _told_as_configuration(path.parent, "room for the whole model in float32"):
            _fill_atomically(path, fill)

    return _made_once(name, write)


def _made_once(name: str, write: Callable[[Path], None]) -> Path:
    folder = cache_folder()
    path = folder / name
    if path.exists():
        return path
    with _told_as_configuration(folder, "some room"):
        folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder):
        if not path.exists():
            write(path)
    return path


@contextmanager
def _told_as_configuration(folder: Path, room: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"Cannot keep the converted model in {folder}: {error.strerror or error}.",
            f"Set TUKU_CACHE to a folder that can be written and has {room}.",
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


def _fill_atomically(path: Path, fill: Callable[[Path], None]) -> None:
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f"{path.name}.", suffix=".part"))
    try:
        fill(temporary)
        for each in temporary.iterdir():
            with each.open("rb") as file:
                os.fsync(file.fileno())
            each.chmod(0o644)
        temporary.chmod(0o755)  # likewise mkdtemp's 0700
        try:
            temporary.rename(path)
        except OSError:
            if not path.exists():  # without locks, another process may have been first
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
