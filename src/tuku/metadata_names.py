"""What columns of the catalogue are called in a collection, and what of their values it can hold."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tuku.config_milvus import FIELD_NAMES
from tuku.typed_values import MAX_INT


def named_fields(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as fields: nulls left out, values that JSON in Milvus can hold, names that are safe.

    A name that a fixed field bears gets the prefix ``meta_``; characters that no identifier has become ``_``.
    """
    fields: dict[str, Any] = {}
    # Names that can stay come first, so that a made-up one never takes the place of a real one.
    for name in sorted(metadata, key=lambda name: _safe_name(name) != name):
        value = _json_value(metadata[name])
        if value is None:
            continue
        safe, number = _safe_name(name), 2
        while safe in fields:
            safe, number = f"{_safe_name(name)}_{number}", number + 1
        fields[safe] = value
    return fields


@lru_cache(maxsize=1_024)  # a catalogue has few columns and many rows
def _safe_name(name: str) -> str:
    safe = re.sub(r"\W", "_", name) or "_"
    if safe[0].isdigit():
        safe = f"_{safe}"
    return f"meta_{safe}" if safe in FIELD_NAMES else safe


def _json_value(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and not -MAX_INT <= value <= MAX_INT:
        return str(value)
    if isinstance(value, Mapping):
        return {key: _json_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json_value(item) for item in value]
    return value
