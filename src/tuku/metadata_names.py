"""What columns of the catalogue are called in a collection, and what of their values it can hold."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tuku.config_milvus import FIELD_NAMES
from tuku.typed_values import MAX_INT

_PREFIX = "meta_"
_DIGITS = 8


def named_fields(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as fields, under their `field_name`: nulls left out, values that JSON in Milvus can hold."""
    fields = {field_name(name): _json_value(value) for name, value in metadata.items()}
    return {name: value for name, value in fields.items() if value is not None}


@lru_cache(maxsize=1_024)  # a catalogue has few columns and many rows
def field_name(column: str) -> str:
    """What a column is called in a collection, in every row, whichever other columns the row has.

    Letters (of any script), digits and ``_``, not beginning with a digit, stay as they are. A name that a fixed field
    bears gets the prefix ``meta_``, and so does one that would then be the same. In any other, characters that no
    identifier has become ``_``, and the first digits of its SHA-256 tell it from names that differ in those alone.
    """
    if column and not column[0].isdigit() and not re.search(r"\W", column):
        bare = column
        while bare.startswith(_PREFIX):
            bare = bare.removeprefix(_PREFIX)
        return f"{_PREFIX}{column}" if bare in FIELD_NAMES else column
    digest = hashlib.sha256(column.encode(errors="surrogatepass")).hexdigest()[:_DIGITS]
    words = re.sub(r"\W+", "_", column).strip("_")
    safe = f"{words}_{digest}"
    return f"_{safe}" if safe[0].isdigit() else safe


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
