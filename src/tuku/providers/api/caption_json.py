"""Captions in JSON, also where it stands between sentences, has commas too many, or was never finished."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from typing import Any

_DESCRIPTION_KEYS = ("description", "caption", "描述", "图片描述", "图像描述", "说明", "summary", "text", "content")
_KEYWORD_KEYS = ("keywords", "关键词", "关键字", "标签", "tags", "keyword", "key_words", "labels")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_CLOSING = {"{": "}", "[": "]"}


def from_json(text: str) -> tuple[str, str] | None:
    """Description and keywords (one a line) of the first JSON object in a model's answer.

    Args:
        text: the answer.

    Returns:
        None if there is no such object, or no description in it.
    """
    start = text.find("{")
    if start < 0:
        return None
    value = decoded(text[start:])
    if not isinstance(value, Mapping):
        return None
    lowered = {str(key).strip().lower(): entry for key, entry in value.items()}
    description = next((lowered[key] for key in _DESCRIPTION_KEYS if key in lowered), None)
    keywords = next((lowered[key] for key in _KEYWORD_KEYS if key in lowered), "")
    if not isinstance(description, str):
        return None
    return description, "\n".join(_texts(keywords))


def _texts(keywords: Any) -> list[str]:
    if isinstance(keywords, list):
        return [str(keyword) for keyword in keywords if isinstance(keyword, str | int | float)]
    return [keywords] if isinstance(keywords, str) else []


def decoded(text: str) -> Any:
    """The value that begins where the text does, mended where it must be; None if there is none."""
    decoder = json.JSONDecoder(strict=False)  # models put line breaks into strings
    for candidate in (text, _repaired(text)):
        try:
            return decoder.raw_decode(candidate)[0]
        except (ValueError, RecursionError):
            continue
    try:  # with apostrophes, as Python writes it
        return ast.literal_eval(text[: text.rfind("}") + 1])
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _repaired(text: str) -> str:
    """Without commas before a bracket that closes, and with the brackets closed that the text leaves open."""
    parts: list[str] = []
    open_brackets: list[str] = []
    position = 0
    while position < len(text):
        string = _STRING.match(text, position)
        if string:
            parts.append(string[0])
            position = string.end()
            continue
        character = text[position]
        if character == '"':  # of a string that was not finished
            break
        if character in "}]":
            if not open_brackets:
                break
            open_brackets.pop()
            _drop_unfinished(parts)
        elif character in _CLOSING:
            open_brackets.append(_CLOSING[character])
        parts.append(character)
        position += 1
    before = "".join(parts[:-1]).rstrip()[-1:]
    if open_brackets and open_brackets[-1] == "}" and parts[-1].startswith('"') and before in "{,":
        parts.pop()  # a key that was not given its colon
    _drop_unfinished(parts)
    return "".join(parts) + "".join(reversed(open_brackets))


def _drop_unfinished(parts: list[str]) -> None:
    """A comma that nothing follows, and a key without a value."""
    while parts and (parts[-1].isspace() or parts[-1] in ",:"):
        if parts.pop() == ":" and parts:
            parts.pop()
