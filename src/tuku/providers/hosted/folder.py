"""A model's folder, and what its small files say. Needs no PyTorch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuku.errors import ConfigError

_SAMPLES, _SAMPLE_BYTES = 16, 65_536
_SMALL = ("*.json", "*.txt", "*.jinja", "*.model")
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
_TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model")


@dataclass(frozen=True)
class ModelFolder:
    """A folder with a model's files.

    Attributes:
        path: of the folder.
        name: what the model is called: where the files come from a cache, its folder is not named for it.
        weights: the files of its weights, in order.
    """

    path: Path
    name: str
    weights: tuple[Path, ...] = field(repr=False)

    @classmethod
    def of_transformers(cls, path: Path, key: str, name: str | None = None) -> ModelFolder:
        """A model as ``save_pretrained`` writes it, or as it comes from a hub; otherwise like `read`."""
        return cls.read(path, key, _WEIGHTS, _TOKENIZERS, name)

    @classmethod
    def read(
        cls, path: Path, key: str, weights: Sequence[str], tokenizers: Sequence[str], name: str | None = None
    ) -> ModelFolder:
        """Look at what is there.

        Args:
            path: of the folder.
            key: of the configuration, for messages.
            weights: patterns of the names of its weights; the first that any file has counts.
            tokenizers: names of a tokenizer's files, of which one must be there.
            name: of the model; None: the folder's.

        Raises:
            ConfigError: no such folder, no weights, or no tokenizer.
        """
        if not path.is_dir():
            raise ConfigError(
                f"{key} is {str(path)!r}, and there is no such folder.",
                "Name a folder with a model's files, or a hub's id with its revision (docs/self-hosted.md).",
            )
        found = next((files for pattern in weights if (files := sorted(path.glob(pattern)))), [])
        if not found:
            raise ConfigError(
                f"There are no weights in {path} ({' or '.join(weights)}).", "Copy them there (docs/self-hosted.md)."
            )
        if not any((path / name).exists() for name in tokenizers):
            raise ConfigError(
                f"There is no tokenizer in {path} ({', '.join(tokenizers)}).",
                "Copy the tokenizer's files from where the model comes from.",
            )
        return cls(path, name or path.name, tuple(found))

    def json(self, name: str) -> dict[str, Any]:
        """A file of it that holds a JSON object; empty if there is no such file.

        Raises:
            ConfigError: it is there and cannot be read.
        """
        path = self.path / name
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigError(
                f"{path} cannot be read: {type(error).__name__}.", "Copy the model's files again."
            ) from None
        if not isinstance(found, dict):
            raise ConfigError(f"{path} is no JSON object.", "Copy the model's files again.")
        return found

    def config(self) -> dict[str, Any]:
        """``config.json``.

        Raises:
            ConfigError: there is none, or it cannot be read.
        """
        return self._required("config.json", self.json("config.json"))

    def preprocessor(self) -> dict[str, Any]:
        """How pictures are prepared: ``preprocessor_config.json``, or its part of ``processor_config.json``; or empty.

        Raises:
            ConfigError: a file that cannot be read.
        """
        found = self.json("preprocessor_config.json") or self.json("processor_config.json").get("image_processor", {})
        return found if isinstance(found, dict) else {}

    def required_preprocessor(self) -> dict[str, Any]:
        """Like `preprocessor`, where it must be there.

        Raises:
            ConfigError: as `config`.
        """
        return self._required("preprocessor_config.json", self.preprocessor())

    def _required(self, name: str, found: dict[str, Any]) -> dict[str, Any]:
        if not found:
            raise ConfigError(
                f"There is no {name} in {self.path}: no model that transformers wrote.",
                "Copy that file from where the model comes from.",
            )
        return found

    def digest(self) -> str:
        """Of all that its vectors depend on: its small files, and of the weights the sizes and samples.

        Weights have gigabytes; 16 samples of 64 KiB from each file tell trained weights apart.
        """
        whole = hashlib.sha256()
        for path in sorted(path for ending in _SMALL for path in self.path.glob(ending)):
            whole.update(path.name.encode() + b"\0" + path.read_bytes())
        for path in self.weights:
            whole.update(f"{path.name}\0{path.stat().st_size}".encode())
            for sample in samples(path):
                whole.update(sample)
        return whole.hexdigest()


def samples(path: Path) -> Iterator[bytes]:
    """Parts of a file, the same every time: 16 of at most 64 KiB, from its beginning to its end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        for number in range(_SAMPLES):
            file.seek(max(0, size - _SAMPLE_BYTES) * number // (_SAMPLES - 1))
            yield file.read(_SAMPLE_BYTES)
