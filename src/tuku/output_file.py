"""Files that people ask for by name, such as a page of results: whole or not at all."""

from __future__ import annotations

from pathlib import Path

from tuku.errors import ConfigError, StorageError
from tuku.storage import DiskStorage


def require_output(file: Path, *inputs: Path) -> None:
    """Whether there may be such a file; asked before anything is paid for what it is to hold.

    Args:
        file: as the user named it.
        inputs: what it must not overwrite.

    Raises:
        ConfigError: a folder, device or pipe is there, or one of `inputs`.
    """
    target = file.resolve()
    if target.exists() and not target.is_file():
        raise ConfigError(f"{file} is a folder, device or pipe, and no file.", "Name a file.")
    if target in {each.resolve() for each in inputs}:
        raise ConfigError(f"{file} would be overwritten, and it is what is read.", "Name another file.")


def write_output(file: Path, content: bytes) -> None:
    """Write it; a link is followed, and goes on to be one.

    Raises:
        ConfigError: a folder, device or pipe is there.
        StorageError: it cannot be written.
        StoppedError: the disk is full.
    """
    require_output(file)
    target = file.resolve()
    try:
        DiskStorage(target.parent).write(target.name, content)
    except StorageError as error:
        reason = error.__cause__.strerror if isinstance(error.__cause__, OSError) else None
        raise StorageError(
            f"{file} cannot be written: {(reason or error.message).rstrip('.').lower()}.",
            "Name a file in a folder that you may write to.",
        ) from error
