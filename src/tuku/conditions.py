"""Conditions on what is known of an image: its fields and its metadata. What `--where` says, once it has been read.

A row that lacks a field meets no condition on it but ``is null``. Values of two types are unequal, and neither is the
larger; whole numbers and others are one type. Negations stand at the tests alone, so that ``not (price < 100)`` does
not mean the rows without a price.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

Value = str | int | float | bool
Sign = Literal["==", "!=", "<", "<=", ">", ">="]
Operator = Sign | Literal["in", "not in", "like", "not like", "contains", "not contains", "is null", "is not null"]

_OPPOSITES: dict[Operator, Operator] = {
    "==": "!=",
    "<": ">=",
    "<=": ">",
    "in": "not in",
    "like": "not like",
    "contains": "not contains",
    "is null": "is not null",
}
_OPPOSITES |= {opposite: each for each, opposite in _OPPOSITES.items()}
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Comparison:
    """One field compared with values.

    Attributes:
        field: its name.
        operator: how.
        values: what with: one value, several for ``in`` and ``not in``, none for ``is null`` and its opposite. Of
            ``like``, a pattern: ``%`` stands for any characters, ``_`` for one.
    """

    field: str
    operator: Operator
    values: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Joined:
    """Several conditions of which all (``and``) or at least one (``or``) must hold."""

    by: Literal["and", "or"]
    parts: tuple[Condition, ...]


Condition = Comparison | Joined


def negated(condition: Condition) -> Condition:
    """What holds where the condition does not, for rows that have the fields."""
    if isinstance(condition, Comparison):
        return replace(condition, operator=_OPPOSITES[condition.operator])
    return Joined("or" if condition.by == "and" else "and", tuple(negated(part) for part in condition.parts))


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """All comparisons in it."""
    if isinstance(condition, Comparison):
        yield condition
    else:
        for part in condition.parts:
            yield from comparisons(part)


def holds(condition: Condition, row: Mapping[str, Any]) -> bool:
    """Whether a row meets it.

    Args:
        condition: what is asked.
        row: values by field, as JSON has them; None counts as missing.
    """
    if isinstance(condition, Joined):
        every = all if condition.by == "and" else any
        return every(holds(part, row) for part in condition.parts)
    value = row.get(condition.field)
    if value is None or condition.operator == "is null":
        return value is None and condition.operator == "is null"
    return _passes(value, condition)


def _passes(value: Any, test: Comparison) -> bool:
    if test.operator == "is not null":
        return True
    if test.operator in {"==", "in"}:
        return any(_equal(value, wanted) for wanted in test.values)
    if test.operator in {"contains", "not contains"}:
        is_list = isinstance(value, list | tuple)
        return is_list and any(_equal(item, test.values[0]) for item in value) == (test.operator == "contains")
    if test.operator == "like":
        return isinstance(value, str) and _is_like(value, str(test.values[0]))
    if test.operator in _ORDERS:
        return _kind(value) == _kind(test.values[0]) and _ORDERS[test.operator](value, test.values[0])
    return not _passes(value, replace(test, operator=_OPPOSITES[test.operator]))


def _equal(one: Any, other: Any) -> bool:
    return _kind(one) == _kind(other) and bool(one == other)


def _kind(value: Any) -> str:
    """The type of a value of JSON: as its values are compared."""
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, int | float) else type(value).__name__


def _is_like(text: str, pattern: str) -> bool:
    """Each part between two ``%`` is taken where it first stands and nowhere else, so that no pattern takes long."""
    *parts, last = pattern.split("%")
    place = 0
    for number, part in enumerate(parts):
        found = _part(part).search(text, place) if number else _part(part).match(text)
        if found is None:
            return False
        place = found.end()
    return _part(last).fullmatch(text, max(place, len(text) - len(last)) if parts else 0) is not None


@lru_cache(maxsize=256)
def _part(like: str) -> re.Pattern[str]:
    return re.compile("".join("." if each == "_" else re.escape(each) for each in like), re.DOTALL)
