"""Types that a column of the metadata can have as a field of the collection."""

from __future__ import annotations

import json
from typing import Any, Literal

ValueType = Literal["varchar", "int64", "double", "bool"]
"""As Milvus calls them."""

MAX_TEXT_BYTES = 8_192

_MAX_INT = 2**63 - 1
_SHOWN = 80
_IS: dict[ValueType, str] = {
    "varchar": f"a text (or number) of at most {MAX_TEXT_BYTES:,} bytes, as the type varchar asks",
    "int64": "a whole number of 64 bits, as the type int64 asks",
    "double": "a number, as the type double asks",
    "bool": "true or false, as the type bool asks",
}


def fitting(value: Any, wanted: ValueType) -> Any:
    """A value that is no null, as JSON has it, in this type; None if it has none there. Numbers can be texts."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if wanted == "varchar":
        text = value if isinstance(value, str) else str(value)
        fits = (isinstance(value, str) or is_number) and len(text.encode()) <= MAX_TEXT_BYTES
        return text if fits else None
    if wanted == "bool":
        return value if isinstance(value, bool) else None
    if not is_number:
        return None
    if wanted == "double":
        return float(value)
    return int(value) if value == int(value) and abs(value) <= _MAX_INT else None


def misfit(name: str, value: Any, wanted: ValueType) -> str:
    """What to tell of a value that does not fit: a part of a sentence."""
    text = json.dumps(value, ensure_ascii=False)
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"
    return f"{name} = {shown}, which is not {_IS[wanted]}"
