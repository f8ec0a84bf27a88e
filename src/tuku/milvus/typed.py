"""Metadata as fields with a type of their own."""

from __future__ import annotations

import json
from typing import Any

from tuku.errors import ConfigError
from tuku.milvus.fields import MAX_TYPED_BYTES, Kind, Typed

_ZERO: dict[Kind, Any] = {"varchar": "", "int64": 0, "double": 0.0, "bool": False}
_MAX_INT = 2**63 - 1
_SHOWN = 80
_IS: dict[Kind, str] = {
    "varchar": f"a text (or number) of at most {MAX_TYPED_BYTES:,} bytes, as the type varchar asks",
    "int64": "a whole number of 64 bits, as the type int64 asks",
    "double": "a number, as the type double asks",
    "bool": "true or false, as the type bool asks",
}


def typed_value(value: Any, name: str, typed: Typed, image_id: str) -> Any:
    """A value of the metadata as its field holds it; None for a null.

    Args:
        value: as JSON has it.
        name: of the field.
        typed: the field.
        image_id: whose it is, for the message.

    Raises:
        ConfigError: it is not of this type, or there is none and Milvus has no nulls there.
    """
    if value is None:
        if typed.partitioned:
            return _ZERO[typed.kind]
        if typed.nullable:
            return None
        raise ConfigError(
            f"Image {image_id!r} has no {name}, and a typed field cannot be null in this Milvus (2.5 and newer can).",
            f"Take {name} out of milvus.indexed_metadata: as a dynamic field it may be missing.",
        )
    fitting = _fitting(value, typed.kind)
    if fitting is None:
        raise ConfigError(
            f"Image {image_id!r} has {name} = {_shown(value)}, which is not {_IS[typed.kind]}.",
            f"Mend the manifest, or choose another type for milvus.indexed_metadata.{name}, or take it out of there:"
            " a dynamic field takes anything.",
        )
    return fitting


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"


def _fitting(value: Any, kind: Kind) -> Any:
    """The value in its field's type; None if it has none there. Numbers of a text column are texts."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "varchar":
        text = value if isinstance(value, str) else str(value)
        fits = (isinstance(value, str) or is_number) and len(text.encode()) <= MAX_TYPED_BYTES
        return text if fits else None
    if kind == "bool":
        return value if isinstance(value, bool) else None
    if not is_number:
        return None
    if kind == "double":
        return float(value)
    return int(value) if value == int(value) and abs(value) <= _MAX_INT else None
