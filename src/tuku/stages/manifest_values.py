"""JSON text of metadata values, a column at a time: much faster than a dictionary for every row.

A *member* is one ``"name": value`` of a JSON object, or "" where the value is null: to all that follows, an absent
key and a null are the same thing.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from json.encoder import encode_basestring as quote_text
from typing import Any

_INT = re.compile(r"0|-?[1-9][0-9]{0,18}")
# Up to 15 digits before the point: float64 holds them. No leading zeros or plus sign: those are codes.
_FLOAT = re.compile(r"-?(?:(?:0|[1-9][0-9]{0,14})(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]+")
_INT64 = range(-(2**63), 2**63)
_INT64_SAFE_CHARS = 18

Parser = Callable[[str], str | None]
"""Reads a cell as its column's type: JSON text of the value, or None if it does not fit."""

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def parse_int(cell: str) -> str | None:
    """An integer within int64, written the only way: not ``007``."""
    if _INT.fullmatch(cell) and (len(cell) <= _INT64_SAFE_CHARS or int(cell) in _INT64):
        return cell
    return None


def parse_float(cell: str) -> str | None:
    """A finite number."""
    if _DECIMAL.fullmatch(cell):
        return cell  # nearly always: JSON writes it the same way
    return repr(number) if _FLOAT.fullmatch(cell) and math.isfinite(number := float(cell)) else None


def parse_bool(cell: str) -> str | None:
    """``true`` or ``false``, in any case."""
    lower = cell.lower()
    return lower if lower in {"true", "false"} else None


def detect(cells: Sequence[str]) -> Parser | None:
    """What all of these cells are, empty ones aside; None: text."""
    filled = [stripped for cell in cells if (stripped := cell.strip())]
    for parser in (parse_int, parse_float, parse_bool) if filled else ():
        if all(parser(cell) is not None for cell in filled):
            return parser
    return None


def cell_members(name: str, cells: Iterable[str], parser: Parser | None) -> list[str]:
    """Members for a column of CSV cells; a cell that does not fit its column's type stays text."""
    key = f"{quote_text(name)}: "
    if parser is None:
        return [key + quote_text(cell) if cell else "" for cell in cells]
    return [f"{key}{parser(stripped) or quote_text(cell)}" if (stripped := cell.strip()) else "" for cell in cells]


def value_members(name: str, values: Iterable[Any]) -> list[str]:
    """Members for a column of Python values."""
    key = f"{quote_text(name)}: "
    return [key + text if (text := value_json(value)) != "null" else "" for value in values]


def join_members(columns: Sequence[Iterable[str]], count: int) -> list[str]:
    """JSON object texts, one a row, from columns of `count` members."""
    if not columns:
        return ["{}"] * count
    return [f"{{{', '.join(filter(None, members))}}}" for members in zip(*columns, strict=True)]


def row_members(row: Mapping[str, Any]) -> dict[str, str]:
    """Members of one row by name, without its nulls."""
    return {name: f"{quote_text(name)}: {text}" for name, value in row.items() if (text := value_json(value)) != "null"}


def value_json(value: Any) -> str:
    """JSON text of a value; NaN and infinities become null, integers beyond int64 text, bytes null."""
    kind = type(value)
    if kind is str:
        return quote_text(value)
    if kind is int and value in _INT64:
        return str(value)
    if kind is float and math.isfinite(value):
        return repr(value)
    return "null" if value is None else _encode(_storable(value))


def _storable(value: Any) -> Any:
    """The value as JSON can say it, nested ones too; dates and times in ISO 8601."""
    if isinstance(value, Mapping):
        return {str(key): _storable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_storable(item) for item in value]
    return _storable_scalar(value)


def _storable_scalar(value: Any) -> Any:
    stored: Any
    if value is None or isinstance(value, (str, bool)):
        stored = value
    elif isinstance(value, int):
        stored = value if value in _INT64 else str(value)
    elif isinstance(value, (float, decimal.Decimal)):
        stored = float(value) if math.isfinite(value) else None
    elif isinstance(value, dt.timedelta):
        stored = value.total_seconds()
    elif isinstance(value, (dt.date, dt.time)):
        stored = value.isoformat()
    else:
        stored = None  # bytes
    return stored
