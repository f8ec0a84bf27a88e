"""What is wrong with a configuration, said so that it can be mended: where, which key, which value, what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

Key = tuple[str, ...]


def describe(error: ValidationError, model: type[BaseModel], origin: Callable[[Key], str]) -> Iterator[str]:
    """One line for each wrong key.

    Args:
        error: what validation found.
        model: the model that was validated.
        origin: says in which file, variable or option a key was set.
    """
    for found in error.errors(include_url=False):
        key = tuple(str(part) for part in found["loc"])
        where = f"{origin(key)}: {'.'.join(key)}"
        if found["type"] == "extra_forbidden":
            yield f"{where} is not a key.{_known(model, key)}"
        else:
            yield f"{where} = {_shown(found['input'])}: {_reason(found)}"


def _reason(found: Any) -> str:
    context = found.get("ctx", {})
    if found["type"] == "literal_error":
        return f"must be {context['expected']}."
    if found["type"] == "value_error":
        return f"must be {context['error']}."
    if found["type"] == "string_pattern_mismatch":
        return f"must match {context['pattern']}."
    return f"{found['msg'][0].lower()}{found['msg'][1:]}."


def _known(model: type[BaseModel], key: Key) -> str:
    section = _section(model, key[:-1])
    if section is None:
        return ""
    names = list(section.model_fields)
    close = difflib.get_close_matches(key[-1], names, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"{hint} Known here: {', '.join(names)}."


def _section(model: type[BaseModel], key: Key) -> type[BaseModel] | None:
    for name in key:
        annotation = model.model_fields[name].annotation if name in model.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return None
        model = annotation
    return model


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"  # noqa: PLR2004  one line of a terminal
