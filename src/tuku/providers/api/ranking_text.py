"""From what a model wrote to a ranking: numbers with reasons, whatever stands around them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from tuku.errors import RowError
from tuku.protocols_ranking import Ranked
from tuku.providers.api.caption_json import decoded
from tuku.providers.api.captioner import Said

_MOST_CHARACTERS = 50_000
_MOST_STARTS = 50  # brackets at which a JSON value may begin
_MOST_MENDED = 3  # of those, at which one with faults is looked for
_MOST_ENTRIES = 1_000
_LARGEST = 1_000_000  # what is larger is no candidate's number, and too long for a message

_THOUGHTS = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_BRACKET = re.compile(r"[{\[]")
_NUMBER = re.compile(r"\A\s*(?:#|no\.?|candidate)?\s*(\d{1,6})\s*\Z", re.IGNORECASE)
_LIST_KEYS = ("ranking", "ranked", "order", "results", "candidates")
_NUMBER_KEYS = ("number", "candidate", "id", "index", "no")
_REASON_KEYS = ("reason", "why", "explanation", "理由", "原因")


def read_ranking(said: Said) -> list[Ranked] | RowError:
    """The ranking in an answer; empty if there is none to be found.

    Args:
        said: the answer. What was cut short or held back by the service is a fault: asked again it would be again.
    """
    if said.finish_reason == "content_filter":
        return RowError("refused_ranking", "the service's content filter held the answer back")
    if said.finish_reason == "length":
        return RowError("cut_ranking", "the answer reached the most tokens allowed (rerank.max_tokens) and was cut")
    return ranking_in(said.text)


def ranking_in(text: str) -> list[Ranked]:
    """The longest list of numbers that is in the text as JSON; mended JSON counts if there is no whole one."""
    text = _THOUGHTS.sub("", text[:_MOST_CHARACTERS])
    return _longest(_values(text)) or _longest(_mended(text))


def _longest(values: Iterator[Any]) -> list[Ranked]:
    return max((_ranking(value) for value in values), key=len, default=[])


def _values(text: str) -> Iterator[Any]:
    """The JSON values in a text, one after the other."""
    decoder = json.JSONDecoder(strict=False)  # models put line breaks into strings
    position = 0
    for _ in range(_MOST_STARTS):
        bracket = _BRACKET.search(text, position)
        if bracket is None:
            return
        try:
            value, position = decoder.raw_decode(text, bracket.start())
        except (ValueError, RecursionError):
            position = bracket.end()
        else:
            yield value


def _mended(text: str) -> Iterator[Any]:
    for bracket in islice(_BRACKET.finditer(text), _MOST_MENDED):
        yield decoded(text[bracket.start() :])


def _ranking(value: Any) -> list[Ranked]:
    if isinstance(value, Mapping):
        value = _first(value, _LIST_KEYS)
    if not isinstance(value, list):
        return []
    return [_ranked(entry) for entry in value[:_MOST_ENTRIES]]


def _ranked(entry: Any) -> Ranked:
    if not isinstance(entry, Mapping):
        return Ranked(_number(entry))
    reason = _first(entry, _REASON_KEYS)
    return Ranked(_number(_first(entry, _NUMBER_KEYS)), reason if isinstance(reason, str) else "")


def _first(value: Mapping[Any, Any], keys: tuple[str, ...]) -> Any:
    lowered = {str(key).strip().lower(): entry for key, entry in value.items()}
    return next((lowered[key] for key in keys if key in lowered), None)


def _number(value: Any) -> int:
    """0 for what is no number of a candidate."""
    if isinstance(value, str):
        match = _NUMBER.match(value)
        return int(match[1]) if match else 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 < value < _LARGEST and value == int(value) else 0
