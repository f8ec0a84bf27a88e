"""What is settled when a collection is made, or first loaded: its shards, partitions, consistency, mmap, replicas.

Not every Milvus tells these (Lite does not), and some a server fills in by itself: what was asked for is noted on the
collection, and compared with what is asked for now.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tuku.errors import ConfigError

if TYPE_CHECKING:
    from tuku.config import MilvusConfig

MADE_AS = "tuku.made_as"


def settled(config: MilvusConfig) -> dict[str, Any]:
    """By key of `milvus`, what only a fresh collection can have otherwise."""
    return {
        "shards": config.shards,
        "partitions": config.partitions,
        "consistency": config.consistency,
        "mmap": config.mmap,
        "replicas": config.replicas,
    }


def made_as_note(config: MilvusConfig) -> dict[str, str]:
    """The property that a fresh collection gets."""
    return {MADE_AS: json.dumps(settled(config), sort_keys=True)}


def changes(properties: Mapping[str, str], config: MilvusConfig) -> str:
    """What the configuration has otherwise than the collection, for people; empty if nothing, or if nobody knows.

    Args:
        properties: of the collection.
        config: as it is now.

    Raises:
        ConfigError: the property is not what tuku writes.
    """
    noted = _noted(properties)
    return ", ".join(
        f"milvus.{key} is {_text(value)} and was {_text(noted[key])}"
        for key, value in settled(config).items()
        if key in noted and noted[key] != value
    )


def replicas(properties: Mapping[str, str], config: MilvusConfig) -> int:
    """How many copies are loaded: as many as it was made with, for a server before 2.5 refuses another number.

    Raises:
        ConfigError: the property is not what tuku writes.
    """
    copies = _noted(properties).get("replicas", config.replicas)
    if type(copies) is not int or copies < 1:
        raise _not_ours(properties)
    return copies


def _noted(properties: Mapping[str, str]) -> dict[str, Any]:
    try:
        noted = json.loads(properties.get(MADE_AS, "{}"))
    except (ValueError, RecursionError):
        noted = None
    if not isinstance(noted, dict):
        raise _not_ours(properties)
    return noted


def _not_ours(properties: Mapping[str, str]) -> ConfigError:
    text = properties[MADE_AS][:80]
    return ConfigError(f"The property {MADE_AS} of the collection is {text!r}, which tuku does not write.")


def _text(value: Any) -> str:
    return json.dumps(value).strip('"')
