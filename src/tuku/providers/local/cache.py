"""A folder for what is computed once on a machine and read at every start."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
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

    The file is whole or absent, whenever the process dies. Processes that meet here at the same time each build
    the file and the last one stays, so `build` must depend on nothing that `name` does not tell.

    Raises:
        ConfigError: the folder cannot be written.
    """
    path = cache_folder() / name
    if path.exists():
        return path
    content = build()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_atomically(path, content)
    except OSError as error:
        raise ConfigError(
            f"Cannot keep the converted model in {path.parent}: {error.strerror or error}.",
            "Set TUKU_CACHE to a folder that can be written and has 50 MB free.",
        ) from error
    return path


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
