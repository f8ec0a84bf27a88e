"""Requests for vectors as vLLM takes them: a conversation is one prompt, and has one vector.

Some conversations are refused here for which a vLLM would make a vector without a word, but not the one that the model
was trained for: a model that must be told something and is not, or whose answer is not begun; a text without its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fakes.dashscope.asked import EmbedAsked, Item, Part, field_of, find_model, tokens_of
from fakes.dashscope.catalogue import Model, PooledModel
from fakes.dashscope.errors import invalid
from fakes.dashscope.pictures import ImageFile
from fakes.dashscope.read_caption import compatible_part

Message = tuple[str, list[Part]]
_TOLD_ROLES = ["system", "user", "assistant"]


def read_pooled(body: dict[str, Any]) -> EmbedAsked:
    """``messages``, with typed parts as their content, or a string.

    Raises:
        ApiError: what is asked cannot be answered, or see above.
    """
    model = find_model(body, PooledModel)
    messages = [_message(message, model) for message in field_of(body, "messages", list)]
    if body.get("encoding_format", "float") != "float":
        raise invalid("Vectors are sent as lists of numbers here.")
    if body.get("continue_final_message") and body.get("add_generation_prompt"):
        raise invalid("Cannot set both `continue_final_message` and `add_generation_prompt` to True.")
    parts = _told(messages, body) if model.told else _alone(messages, body)
    kind = "fusion" if len(parts) > 1 else "text" if isinstance(parts[0], str) else "image"
    texts, images = tokens_of([part for _, content in messages for part in content], model)
    texts = _within_context(texts, images, model, cut=body.get("truncate_prompt_tokens") == -1)
    return EmbedAsked(model, (Item(tuple(parts), kind),), texts, images, _dim(body, model))


def _message(message: Any, model: Model) -> Message:
    role = field_of(message, "role", str)
    content = message.get("content")
    if isinstance(content, str):
        return role, [content]
    return role, [_part(part, model) for part in field_of(message, "content", list)]


def _part(part: Any, model: Model) -> Part:
    return "" if part == {"type": "text", "text": ""} else compatible_part(part, model)


def _told(messages: Sequence[Message], body: dict[str, Any]) -> list[Part]:
    """What the user says and shows."""
    if [role for role, _ in messages] != _TOLD_ROLES or messages[0][1] == [""] or messages[2][1] != [""]:
        raise invalid("The model is told what to do, then shown its input, and its answer is to be begun with nothing.")
    if not body.get("continue_final_message") or not body.get("add_special_tokens"):
        raise invalid("The answer is to be continued, with special tokens.")
    parts = [part for part in messages[1][1] if part]
    if len(parts) - sum(isinstance(part, ImageFile) for part in parts) > 1 or not parts:
        raise invalid("A picture, a text, or one of each.")
    return parts


def _alone(messages: Sequence[Message], body: dict[str, Any]) -> list[Part]:
    """The one thing that the user says or shows."""
    (role, parts), *others = messages
    if role != "user" or others or len(parts) != 1:
        raise invalid("CLIP accepts text-only or image-only inputs, not both!")
    if isinstance(parts[0], str) and not (parts[0] and body.get("add_special_tokens")):
        raise invalid("A text needs a token at its end.")
    return parts


def _within_context(texts: int, images: int, model: PooledModel, *, cut: bool) -> int:
    """Tokens of texts. A model that is told nothing has as many places as it needs for a picture."""
    left = model.context - (images if model.told else 0)
    if texts > left and not cut:
        raise invalid(
            f"This model's maximum context length is {model.context} tokens. However, you requested "
            f"{texts + images} tokens in the input. Please reduce the length of the input."
        )
    return min(texts, left)


def _dim(body: dict[str, Any], model: PooledModel) -> int:
    dim = body.get("dimensions")
    if dim is None:
        return model.dim
    if not model.matryoshka:
        raise invalid(
            f'Model "{model.name}" does not support matryoshka representation, '
            "changing output dimensions will lead to poor results."
        )
    if not isinstance(dim, int) or not 1 <= dim <= model.dim:
        raise invalid(f"dimensions must be from 1 to {model.dim}.")
    return dim
