"""What a vector depends on beside the model and what it is of, as the configuration has it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tuku.config import EmbedConfig
from tuku.errors import ConfigError
from tuku.providers.api.instruction import instruction_of
from tuku.providers.api.parameters import allow_only
from tuku.providers.openai.parameters import EMBED_PARAMETERS, own_keys


@dataclass(frozen=True)
class EmbedSettings:
    """Of one embedder.

    Attributes:
        instruction: what the model is told for pictures and stored texts; empty for one that is told nothing.
        query_instruction: likewise for texts that are searched with, and with a picture.
        options: sent along with every request.
        text_options: sent along with a text alone.
    """

    instruction: str
    query_instruction: str
    options: dict[str, Any] = field(default_factory=dict)
    text_options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, config: EmbedConfig) -> EmbedSettings:
        """What the configuration says.

        Raises:
            ConfigError: a parameter that is not sent along, or one that says what cannot be.
        """
        allow_only("embed", config.parameters, EMBED_PARAMETERS, own_keys("embed"))
        instruction = instruction_of(config, may_be_empty=True)
        query_instruction = instruction_of(config, "query_instruction", may_be_empty=not instruction)
        if query_instruction and not instruction:
            raise ConfigError(
                "embed.parameters.query_instruction is set, and embed.parameters.instruction is empty.",
                "A model is told something for both, or for neither: set both, or none.",
            )
        options = {"dimensions": config.dim} if _asks_for_length(config) else {}
        padding = {"padding": config.parameters["padding"]} if "padding" in config.parameters else {}
        return cls(instruction, query_instruction, options, padding)

    @property
    def told(self) -> tuple[tuple[str, str], ...]:
        """For `ModelDescription.settings`: what stored vectors depend on."""
        options = {**self.options, **self.text_options}
        return (("instruction", self.instruction), ("parameters", json.dumps(options, sort_keys=True)))


def _asks_for_length(config: EmbedConfig) -> bool:
    given = config.parameters.get("dimensions", False)
    if not isinstance(given, bool):
        raise ConfigError(
            f"embed.parameters.dimensions is {json.dumps(given)}.",
            "Set it to true for a model that can be asked for a length, and embed.dim to that length.",
        )
    return given
