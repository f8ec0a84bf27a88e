"""Requests for captions: DashScope's messages and OpenAI's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fakes.dashscope.asked import CaptionAsked, Item, Part, field_of, find_model, tokens_of
from fakes.dashscope.catalogue import CaptionModel, Model
from fakes.dashscope.errors import invalid
from fakes.dashscope.pictures import ImageFile, read_picture

_ROLES = ("system", "user", "assistant")


def read_native(body: dict[str, Any]) -> CaptionAsked:
    """``input.messages``, with ``{"image": …}`` and ``{"text": …}`` as their content.

    Raises:
        ApiError: what is asked cannot be answered. Likewise `read_compatible`.
    """
    model = find_model(body, CaptionModel)
    messages = field_of(field_of(body, "input", dict), "messages", list)
    return _asked(model, messages, _native_part, body.get("parameters") or {})


def read_compatible(body: dict[str, Any]) -> CaptionAsked:
    """``messages``, with typed parts as their content, or a string."""
    model = find_model(body, CaptionModel)
    if body.get("stream"):
        raise invalid("Streaming is not served here.")
    return _asked(model, field_of(body, "messages", list), compatible_part, body)


def _asked(
    model: CaptionModel, messages: list[Any], read_part: Callable[[Any, Model], Part], parameters: dict[str, Any]
) -> CaptionAsked:
    parts: list[Part] = []
    prompt = ""
    for message in messages:
        role = field_of(message, "role", str)
        if role not in _ROLES:
            raise invalid(f"{role!r} is no role: {', '.join(_ROLES)} are.")
        content = field_of(message, "content", (str, list))
        found: list[Part] = [content] if isinstance(content, str) else [read_part(part, model) for part in content]
        parts += found
        if role == "user":
            prompt += "".join(part for part in found if isinstance(part, str))
    if messages[-1]["role"] != "user":
        raise invalid("The last message must be the user's.")
    pictures = tuple(part for part in parts if isinstance(part, ImageFile))
    item = Item(pictures) if pictures else Item((prompt,), "text")
    return CaptionAsked(model, (item,), *tokens_of(parts, model), prompt, _in_json(parameters, parts))


def _in_json(parameters: dict[str, Any], parts: list[Part]) -> bool:
    wanted = parameters.get("response_format")
    if wanted is None or wanted == {"type": "text"}:
        return False
    if wanted != {"type": "json_object"}:
        raise invalid(f"{wanted!r} is no response_format.")
    if not any(isinstance(part, str) and "json" in part.lower() for part in parts):
        raise invalid(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        )
    return True


def _native_part(part: Any, model: Model) -> Part:
    if not isinstance(part, dict) or len(part.keys() & {"image", "text"}) != 1:
        raise invalid("Each part of a message's content must have an image or a text.")
    if "image" in part:
        return read_picture(part["image"], model)
    text: str = field_of(part, "text", str)
    return text


def compatible_part(part: Any, model: Model) -> Part:
    """A typed part of a message of OpenAI's.

    Raises:
        ApiError: it is neither a text nor a picture that the model takes.
    """
    kind = field_of(part, "type", str)
    if kind == "image_url":
        return read_picture(field_of(field_of(part, "image_url", dict), "url", str), model)
    if kind != "text":
        raise invalid(f"{kind!r} is no type of content: text and image_url are.")
    text: str = field_of(part, "text", str)
    return text
