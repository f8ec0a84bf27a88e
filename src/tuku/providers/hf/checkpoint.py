"""A model as `save_pretrained` writes it, or as it comes from a hub. Needs no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuku.errors import ConfigError
from tuku.providers.hosted.families import FAMILIES, Family
from tuku.providers.hosted.folder import ModelFolder
from tuku.providers.hosted.preprocessing import Preprocessing


@dataclass(frozen=True)
class Checkpoint:
    """What its small files say.

    Attributes:
        folder: of its files.
        config: ``config.json``.
        family: which of the known ones it is.
        preprocessing: of its pictures.
    """

    folder: ModelFolder
    config: dict[str, Any] = field(repr=False)
    family: Family
    preprocessing: Preprocessing

    @classmethod
    def read(cls, path: Path, key: str, name: str | None = None) -> Checkpoint:
        """Look at what is in a folder.

        Args:
            path: of the folder.
            key: of the configuration, for messages.
            name: of the model; None: the folder's.

        Raises:
            ConfigError: no such folder, something of a model is missing in it, or its family is not known.
        """
        folder = ModelFolder.of_transformers(path, key, name)
        config, pictures = folder.config(), folder.required_preprocessor()
        kind = config.get("model_type")
        if kind not in FAMILIES:
            known = ", ".join(f"{each.name} ({name})" for name, each in FAMILIES.items())
            raise ConfigError(
                f"The model in {path} is of the family {kind!r}, which provider hf does not know.",
                f"Known are: {known}.",
            )
        family = FAMILIES[kind]
        return cls(folder, config, family, Preprocessing.of(pictures, family, str(path)))

    @property
    def path(self) -> Path:
        """Of its folder."""
        return self.folder.path

    @property
    def dim(self) -> int:
        """The length of its vectors."""
        return self.family.dim_of(self.config)

    @property
    def text_tokens(self) -> int:
        """The longest text that it takes, tokens."""
        return self.family.text_tokens_of(self.config)
