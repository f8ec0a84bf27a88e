"""What the configuration asks of a run, judged before anything is begun."""

from __future__ import annotations

from pathlib import Path

from tuku.config import Config
from tuku.errors import ConfigError


def manifest_uri(config: Config) -> str:
    """The manifest's absolute path or URI.

    Raises:
        ConfigError: none was named.
    """
    uri = config.manifest.uri
    if not uri:
        raise ConfigError("No manifest was named.", "Give it as the argument, or set manifest.uri.")
    return uri if "://" in uri else str(Path(uri).expanduser().absolute())


def refuse_unavailable(config: Config) -> None:
    """A setting that would be ignored is worse than none.

    Raises:
        ConfigError: naming it.
    """
    asked = {
        "manifest.mode = snapshot": config.manifest.mode == "snapshot",
        "load.staging_uri": config.load.staging_uri is not None,
    }
    for key, is_set in asked.items():
        if is_set:
            raise ConfigError(f"{key} has no effect in this version of tuku.", "Leave it at its default.")
