"""Where a model's files are: in a folder, or on a hub, at one commit. A folder that is there asks no hub."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from tuku.config import CaptionConfig, EmbedConfig
from tuku.errors import ConfigError
from tuku.providers.hosted.hub_faults import Asked, explained, not_cached

Patterns = Sequence[str]
"""Of names of files in a model's folder."""

TRANSFORMERS: tuple[Patterns, ...] = (("*.safetensors",), ("pytorch_model*.bin",))
"""Where transformers finds weights, the best first."""

ONNX: tuple[Patterns, ...] = tuple(
    [f"{folder}{name}.onnx{data}" for name in ("vision_model", "text_model") for data in ("", "_data")]
    for folder in ("", "onnx/")
)
"""Likewise for a pair of encoders exported to ONNX."""

# Configuration, tokenizer and chat template: small, and the same for everybody who asks for this commit. No code.
_SMALL = ("*.json", "*.txt", "*.model", "*.jinja")
_BELOW = "*/*"
_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)


class Place(NamedTuple):
    """A model's folder, and what the model is called in reports and fingerprints."""

    path: Path
    name: str


def located(section: str, config: CaptionConfig | EmbedConfig, weights: Sequence[Patterns]) -> Place:
    """The configured model's folder, downloaded first if it is not there and no folder is named.

    Args:
        section: of the configuration: ``caption`` or ``embed``.
        config: that section.
        weights: of which files the first that the hub has any of are downloaded.

    Raises:
        ConfigError: no model is named, or the hub does not give it. A folder that is missing is not found out here
            unless it could be a hub's id.
    """
    key = f"{section}.model"
    if config.model is None:
        raise ConfigError(
            f"{section}.provider is {config.provider}, and {key} is not set.",
            "Set it to the folder of a model, or to its id on a hub (docs/self-hosted.md).",
        )
    path = Path(config.model).expanduser()
    if path.exists() or not _ID.fullmatch(config.model):
        return Place(path, path.name)
    if config.revision is None:
        raise ConfigError(
            f"{key} is {config.model!r}, and there is no such folder; a model of a hub needs {section}.revision.",
            "Name a folder with a model's files, or set the revision to a full commit: everybody must have the same"
            " weights, and a night must not change them (docs/self-hosted.md says where commits are listed).",
        )
    return Place(_snapshot(section, config, config.revision, weights), config.model.rpartition("/")[2])


def _snapshot(section: str, config: CaptionConfig | EmbedConfig, commit: str, weights: Sequence[Patterns]) -> Path:
    if find_spec("huggingface_hub") is None:
        raise ConfigError(
            f"{section}.model is {config.model!r}, no folder here, and huggingface_hub is not installed.",
            'Install with: pip install "tuku[hf]"',
        )
    from huggingface_hub import constants

    asked = Asked(section, str(config.model), commit, config.offline or constants.HF_HUB_OFFLINE)
    for patterns in weights:
        folder = _fetched(asked, patterns)
        if any(any(folder.glob(pattern)) for pattern in patterns):
            return folder
    if asked.offline:
        raise not_cached(asked)
    looked_for = ", ".join(pattern for patterns in weights for pattern in patterns)
    raise ConfigError(
        f"{asked} has no weights that provider {config.provider} reads ({looked_for}).",
        "Choose another model or commit, or convert it, and name its folder.",
    )


def _fetched(asked: Asked, weights: Patterns) -> Path:
    """The commit's folder in the cache, with what of these there is. Asks no hub for what is there already."""
    from huggingface_hub import snapshot_download

    below = any("/" in pattern for pattern in weights)
    with _without_its_log():
        try:
            folder = snapshot_download(
                asked.model,
                revision=asked.commit,
                local_files_only=asked.offline,
                allow_patterns=[*_SMALL, *weights],
                ignore_patterns=None if below else [_BELOW],
                tqdm_class=_bar(),
            )
        except Exception as error:  # noqa: BLE001  # whatever a network, a hub and a disk may do
            raise explained(error, asked) from None
    return Path(folder)


@contextmanager
def _without_its_log() -> Iterator[None]:
    """It writes addresses down, which may hold passwords; what matters of it is said by a `ConfigError`."""
    log = logging.getLogger("huggingface_hub")
    level = log.level
    log.setLevel(max(level, logging.ERROR))
    try:
        yield
    finally:
        log.setLevel(level)


def _bar() -> Any:
    from huggingface_hub.utils import tqdm

    class Bar(tqdm):
        """Of a download: only where somebody looks on, and gone when it is full."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "disable": None, "leave": False})

    return Bar
