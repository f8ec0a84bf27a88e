"""What the small files of a Qwen-VL say. Needs no PyTorch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuku.errors import ConfigError
from tuku.providers.hosted.folder import ModelFolder

# By `model_type` in config.json.
FAMILIES = {"qwen3_vl": "Qwen3-VL", "qwen2_5_vl": "Qwen2.5-VL"}

_TRAINED_TO_EMBED = re.compile(r"embedding", re.IGNORECASE)


@dataclass(frozen=True)
class Checkpoint:
    """A model's folder.

    Attributes:
        folder: of its files.
        family: as its makers spell it.
        dim: width of its hidden layers.
    """

    folder: ModelFolder
    family: str
    dim: int

    @classmethod
    def read(cls, path: Path, key: str, name: str | None = None) -> Checkpoint:
        """Look at what is in a folder.

        Args:
            path: of the folder.
            key: of the configuration, for messages.
            name: of the model; None: the folder's.

        Raises:
            ConfigError: no such folder, something of a model is missing in it, or it is none of these models.
        """
        folder = ModelFolder.of_transformers(path, key, name)
        config = folder.config()
        folder.required_preprocessor()
        kind = config.get("model_type")
        if kind not in FAMILIES:
            known = ", ".join(f"{name} ({kind})" for kind, name in FAMILIES.items())
            raise ConfigError(
                f"The model in {path} is of the family {kind!r}, which provider qwen_vl does not know.",
                f"Known are: {known}; provider hf has Chinese-CLIP, CLIP and SigLIP.",
            )
        return cls(folder, FAMILIES[kind], _hidden_size(config))

    @property
    def embeds(self) -> bool:
        """Whether it was trained to embed (Qwen3-VL-Embedding), by its name: its files do not say."""
        return _TRAINED_TO_EMBED.search(self.folder.name) is not None


def _hidden_size(config: dict[str, Any]) -> int:
    return int(config.get("text_config", config)["hidden_size"])
