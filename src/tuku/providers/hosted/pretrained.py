"""Weights and tokenizers by transformers, from a folder and from nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tuku.errors import ConfigError


def pretrained(what: str, folder: Path, kind: Callable[[Any], Any], **options: Any) -> Any:
    """What one of transformers' classes makes of a folder. No hub is asked, and no code of the folder's is run.

    Args:
        what: is loaded, for messages.
        folder: with the model's files.
        kind: the class, given the package.
        options: of its ``from_pretrained``.

    Raises:
        ConfigError: it cannot be loaded.
    """
    import transformers

    try:
        return kind(transformers).from_pretrained(folder, local_files_only=True, **options)
    except Exception as error:  # whatever its readers of many formats raise
        raise ConfigError(
            f"{what} in {folder} cannot be loaded: {type(error).__name__}: {str(error)[:300]}",
            "Copy the model's files again, all from one place.",
        ) from error
