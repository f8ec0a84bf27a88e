"""What a request asks, once it has been read and found valid."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from fakes.dashscope.catalogue import MODELS, Model
from fakes.dashscope.errors import ApiError, invalid
from fakes.dashscope.pictures import ImageFile

Part = ImageFile | str
M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Item:
    """What one answer is for: a picture, a text, or several that make one.

    Attributes:
        kind: the modality, as an embedding's answer names it.
    """

    parts: tuple[Part, ...]
    kind: str = "image"

    @cached_property
    def key(self) -> str:
        """The sha256 of the file or the text; equal keys are equal work."""
        digests = [_sha256(part) if isinstance(part, str) else part.sha256 for part in self.parts]
        return digests[0] if len(digests) == 1 else _sha256(" ".join(digests))

    @property
    def pictures(self) -> list[ImageFile]:
        """Its pictures."""
        return [part for part in self.parts if isinstance(part, ImageFile)]


@dataclass(frozen=True)
class Asked:
    """What all requests have in common.

    Attributes:
        items: what is to be answered, in order.
        text_tokens: of prompts and texts.
        image_tokens: of pictures.
    """

    model: Model
    items: tuple[Item, ...]
    text_tokens: int
    image_tokens: int

    @property
    def input_tokens(self) -> int:
        """Everything that is charged on arrival."""
        return self.text_tokens + self.image_tokens

    @property
    def pictures(self) -> list[ImageFile]:
        """The pictures of all items."""
        return [picture for item in self.items for picture in item.pictures]


@dataclass(frozen=True)
class CaptionAsked(Asked):
    """One picture (or several, for one caption) and what is wanted of it.

    Attributes:
        in_json: whether the service shall see to it that the answer is JSON.
    """

    prompt: str
    in_json: bool = False


@dataclass(frozen=True)
class EmbedAsked(Asked):
    """Items, and how long their vectors shall be."""

    dim: int


@dataclass(frozen=True)
class RerankAsked(Asked):
    """The first item is the query, the others are documents."""

    top_n: int
    return_documents: bool


def text_tokens(text: str) -> int:
    """An estimate: one for a Chinese character, one for four letters."""
    ascii_letters = sum(character < "\x80" for character in text)
    return len(text) - ascii_letters + math.ceil(ascii_letters / 4)


def tokens_of(parts: Sequence[Part], model: Model) -> tuple[int, int]:
    """Tokens of texts and of pictures."""
    texts = sum(text_tokens(part) for part in parts if isinstance(part, str))
    return texts, sum(part.tokens(model) for part in parts if isinstance(part, ImageFile))


def find_model(body: dict[str, Any], kind: type[M]) -> M:
    """The model that a request names.

    Raises:
        ApiError: there is none of this name that this endpoint serves.
    """
    model = MODELS.get(str(body.get("model")))
    if not isinstance(model, kind):
        raise ApiError(404, "ModelNotFound", "Model not exist.")
    return model


def field_of(value: object, name: str, kind: type[Any] | tuple[type[Any], ...]) -> Any:
    """`value[name]`, which must be there and of this type.

    Raises:
        ApiError: it is not.
    """
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, kind) or found in ("", [], {}):
        raise invalid(f"Required field {name!r} is missing or of a wrong type.")
    return found


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
