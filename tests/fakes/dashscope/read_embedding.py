"""Requests for vectors, with the limits of each model."""

from __future__ import annotations

from typing import Any

from fakes.dashscope.asked import EmbedAsked, Item, Part, field_of, find_model, text_tokens, tokens_of
from fakes.dashscope.catalogue import EmbedModel
from fakes.dashscope.errors import invalid
from fakes.dashscope.pictures import ImageFile, read_picture


def read_embedding(body: dict[str, Any]) -> EmbedAsked:
    """``input.contents``: one item each, unless they are fused.

    Raises:
        ApiError: a single bad item is enough.
    """
    model = find_model(body, EmbedModel)
    contents = field_of(field_of(body, "input", dict), "contents", list)
    parameters = body.get("parameters") or {}
    items = [_item(content, model) for content in contents]
    _check_counts(items, model)
    if _fused(parameters, model):
        items = [Item(tuple(part for item in items for part in item.parts), "fusion")]
    tokens = tokens_of([part for item in items for part in item.parts], model)
    return EmbedAsked(model, tuple(items), *tokens, _dim(parameters, model))


def _item(content: Any, model: EmbedModel) -> Item:
    kinds = content.keys() & {"image", "text", "multi_images"} if isinstance(content, dict) else set()
    if len(kinds) != 1:
        raise invalid("Each of the contents must have one of image, text and multi_images.")
    kind = kinds.pop()
    if kind == "multi_images":
        uris = field_of(content, kind, list)
        if len(uris) > model.multi_images:
            raise invalid(f"At most {model.multi_images} images can be one item of {model.name}.")
        return Item(tuple(read_picture(uri, model) for uri in uris), kind)
    part: Part = read_picture(content[kind], model) if kind == "image" else field_of(content, kind, str)
    if isinstance(part, str) and text_tokens(part) > model.text_tokens:
        raise invalid(f"The text has more than {model.text_tokens} tokens.")
    return Item((part,), kind)


def _check_counts(items: list[Item], model: EmbedModel) -> None:
    pictures = sum(isinstance(part, ImageFile) for item in items for part in item.parts)
    if model.items is not None and len(items) > model.items:
        raise invalid(f"Too many contents: {len(items)}; {model.name} takes {model.items}.")
    if model.images is not None and pictures > model.images:
        raise invalid(f"Too many images: {pictures}; {model.name} takes {model.images}.")
    if model.fuses == "always" and len({item.kind for item in items}) < len(items):
        raise invalid(f"{model.name} takes one item of each type.")


def _fused(parameters: dict[str, Any], model: EmbedModel) -> bool:
    if model.fuses == "always":
        return True
    asked = bool(parameters.get("enable_fusion"))
    if asked and model.fuses == "never":
        raise invalid(f"{model.name} does not fuse.")
    return asked


def _dim(parameters: dict[str, Any], model: EmbedModel) -> int:
    dim = parameters.get("dimension")
    if dim is None:
        return model.dims[0]
    if len(model.dims) == 1 or dim not in model.dims:
        allowed = "none can be chosen" if len(model.dims) == 1 else f"allowed are {model.dims}"
        raise invalid(f"dimension {dim} is not one of {model.name}: {allowed}.")
    return int(dim)
