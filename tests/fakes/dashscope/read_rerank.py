"""Requests for relevances."""

from __future__ import annotations

from typing import Any

from fakes.dashscope.asked import Item, Part, RerankAsked, field_of, find_model, tokens_of
from fakes.dashscope.catalogue import Model, RerankModel
from fakes.dashscope.errors import invalid
from fakes.dashscope.pictures import read_picture


def read_rerank(body: dict[str, Any]) -> RerankAsked:
    """``input.query`` and ``input.documents``: strings, or ``{"text": …}``, or ``{"image": …}``.

    Raises:
        ApiError: what is asked cannot be answered.
    """
    model = find_model(body, RerankModel)
    asked = field_of(body, "input", dict)
    query = _item(field_of(asked, "query", (str, dict)), model)
    documents = [_item(document, model) for document in field_of(asked, "documents", list)]
    _check_counts(documents, model)
    parameters = body.get("parameters") or {}
    top_n = parameters.get("top_n", len(documents))
    if not isinstance(top_n, int) or top_n < 1:
        raise invalid("top_n must be a positive number.")
    tokens = tokens_of([part for item in (query, *documents) for part in item.parts], model)
    return RerankAsked(model, (query, *documents), *tokens, top_n, bool(parameters.get("return_documents")))


def _item(value: Any, model: Model) -> Item:
    if isinstance(value, dict) and "image" in value:
        return Item((read_picture(value["image"], model),))
    part: Part = value if isinstance(value, str) and value else field_of(value, "text", str)
    return Item((part,), "text")


def _check_counts(documents: list[Item], model: RerankModel) -> None:
    images = sum(document.kind == "image" for document in documents)
    for kind, count, most in (("texts", len(documents) - images, model.texts), ("images", images, model.images)):
        if count > most:
            raise invalid(f"Too many {kind}: {count}; {model.name} takes {most}.")
