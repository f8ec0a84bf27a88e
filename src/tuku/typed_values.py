"""Types that a column of the metadata can have as a field of the collection."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Literal

ValueType = Literal["varchar", "int64", "double", "bool"]
"""As Milvus calls them."""

MAX_TEXT_BYTES = 8_192

MAX_INT = 2**63 - 1
_INT = re.compile(r"[+-]?[0-9]{1,19}")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_SHOWN = 80
_IS: dict[ValueType, str] = {
    "varchar": f"a text (or number) of at most {MAX_TEXT_BYTES:,} bytes, as the type varchar asks",
    "int64": "a whole number of 64 bits, as the type int64 asks",
    "double": "a number, as the type double asks",
    "bool": "true or false, as the type bool asks",
}


def fitting(value: Any, wanted: ValueType) -> Any:
    """A value that is no null, as JSON has it, in this type; None if it has none there.

    A number can be a text, and a text that reads as a number is one: a single ``n/a`` makes a CSV column one of texts.
    """
    if wanted == "bool":
        return _truth(value)
    if wanted == "varchar":
        is_text = isinstance(value, str) or _is_number(value)
        return str(value) if is_text and len(str(value).encode()) <= MAX_TEXT_BYTES else None
    number = _number(value)
    if number is None or wanted == "double":
        return None if number is None else float(number)
    return int(number) if number == int(number) and abs(number) <= MAX_INT else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> int | float | None:
    if not isinstance(value, str):
        return value if _is_number(value) else None
    text = value.strip()
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) and math.isfinite(float(text)) else None


def _truth(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def misfit(name: str, value: Any, wanted: ValueType) -> str:
    """What to tell of a value that does not fit: a part of a sentence."""
    text = json.dumps(value, ensure_ascii=False)
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"
    return f"{name} = {shown}, which is not {_IS[wanted]}"
