"""What the 1,000 ImageNet classes are called, for people and for the text encoder."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache

from tuku.providers.local.assets import CLEAN_NAMES, DESCRIPTIONS, SYNONYMS

# Where the package's clean name is a definition, a list, or an animal's breed that few pictures show.
RENAMED = {
    282: "tiger cat",
    285: "Egyptian cat",
    638: "leotard",
    884: "vaulted ceiling",
    919: "street sign",
    998: "ear of grain",
}
# "kite (bird of prey)", "handrail / baluster", "bell or wind chime": the first of them will do in a caption.
_FIRST = re.compile(r" \(| / | or ")


@dataclass(frozen=True)
class ImageNetClass:
    """One class.

    Attributes:
        name: short, as it stands in captions and keywords.
        names: everything it is called, `name` first.
        description: one sentence on its looks; empty for the few classes that have none.
    """

    name: str
    names: tuple[str, ...]
    description: str


@cache
def imagenet_classes() -> tuple[ImageNetClass, ...]:
    """All classes, in the order of the classifier's logits."""
    clean: list[str] = json.loads(CLEAN_NAMES.read())
    synonyms: dict[str, str] = json.loads(SYNONYMS.read())
    described: dict[str, dict[str, str]] = json.loads(DESCRIPTIONS.read())
    return tuple(
        _class(
            RENAMED.get(index, name),
            synonyms[str(index)],
            described.get(str(index), {}).get("description", ""),
        )
        for index, name in enumerate(clean)
    )


def _class(clean: str, synonyms: str, description: str) -> ImageNetClass:
    name = _FIRST.split(clean, maxsplit=1)[0]
    names = dict.fromkeys([name, clean, *synonyms.split(", ")])
    return ImageNetClass(name, tuple(names), description.partition(". ")[0])
