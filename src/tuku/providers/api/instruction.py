"""What a model that embeds by instruction is told, for every provider that has one."""

from __future__ import annotations

import json
from typing import Literal

from tuku.config import EmbedConfig
from tuku.errors import ConfigError

INSTRUCTION = "Represent the user's input."
"""What Qwen3-VL-Embedding is told by default (its model card); other models are told the same."""

INSTRUCTION_PARAMETERS = frozenset({"instruction", "query_instruction"})

NOTHING = "NULL"
"""What Qwen3-VL-Embedding is given for an empty text."""


def instruction_of(
    config: EmbedConfig,
    name: Literal["instruction", "query_instruction"] = "instruction",
    *,
    may_be_empty: bool = False,
) -> str:
    """What the configured model is told.

    Args:
        config: of the embedder.
        name: of the parameter; queries are told what the rest is, unless the configuration says otherwise.
        may_be_empty: for a provider whose models may be told nothing.

    Raises:
        ConfigError: it is no sentence.
    """
    given = config.parameters.get(name, config.parameters.get("instruction", INSTRUCTION))
    if isinstance(given, str):
        if given.strip():
            return given
        if may_be_empty:
            return ""
    raise ConfigError(f"embed.parameters.{name} is {json.dumps(given)}.", "Set it to a sentence, or leave it out.")
