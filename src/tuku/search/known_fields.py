"""Which fields a collection has, and a filter checked against them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tuku.conditions import Comparison, Condition, Joined, Value
from tuku.errors import ConfigError
from tuku.metadata_names import field_name
from tuku.typed_values import ValueType, fitting, misfit

FRIENDLY = {"uri": "origin", "caption": "image_description"}
"""As results call them, and what the collection calls them."""

_SHOWN_NAMES = 30
_SHOWN_VALUES = 200


@dataclass(frozen=True)
class KnownField:
    """What is known of one field.

    Attributes:
        kinds: of the values seen: ``text``, ``number``, ``bool``, ``list``, ``object``.
        typed: its type, where the collection's schema has it; of a list, that of what is in it.
        values: how often each value was seen, of texts, numbers and truths; of the first ones that were.
        least: of the numbers that were seen.
        most: likewise.
    """

    kinds: frozenset[str] = frozenset()
    typed: ValueType | None = None
    values: Mapping[Value, int] = field(default_factory=dict, repr=False)
    least: float | None = None
    most: float | None = None


KnownFields = Mapping[str, KnownField]


def seen_in(rows: Iterable[Mapping[str, Any]]) -> dict[str, KnownField]:
    """The fields of some rows (values as JSON has them), in the order in which they were met."""
    kinds: dict[str, set[str]] = {}
    values: dict[str, dict[Value, int]] = {}
    ends: dict[str, tuple[float, float]] = {}
    for row in rows:
        for name, value in row.items():
            if value is None:
                continue
            kinds.setdefault(name, set()).add(kind_of(value))
            counted = values.setdefault(name, {})
            if isinstance(value, str | int | float) and (value in counted or len(counted) < _SHOWN_VALUES):
                counted[value] = counted.get(value, 0) + 1
            if kind_of(value) == "number":
                least, most = ends.get(name, (value, value))
                ends[name] = min(least, value), max(most, value)
    known = {name: KnownField(frozenset(found), values=values[name]) for name, found in kinds.items()}
    return known | {name: replace(known[name], least=least, most=most) for name, (least, most) in ends.items()}


def kind_of(value: Any) -> str:
    """``text``, ``number``, ``bool``, ``list`` or ``object``."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    return "list" if isinstance(value, list | tuple) else "object"


def checked(condition: Condition, known: KnownFields, is_there: Callable[[str], bool]) -> Condition:
    """The condition with the collection's own names for its fields, and values of their types.

    Args:
        condition: as the user wrote it.
        known: the fixed fields, and what a sample of the rows has.
        is_there: whether any row at all has a field that is not among them.

    Raises:
        ConfigError: a field that no row has, or a test or a value that fits none of its rows.
    """
    return _fitted(_renamed(condition, known, is_there), known)


def require_field(name: str, known: KnownFields, is_there: Callable[[str], bool]) -> str:
    """The collection's own name of a field, which may be given by its column's name in the catalogue.

    Raises:
        ConfigError: no row has it.
    """
    if name in known:
        return name
    if name in FRIENDLY:
        return FRIENDLY[name]
    column = field_name(name)
    if column in known:
        return column
    there = next(filter(is_there, dict.fromkeys((name, column))), None)
    if there is not None:
        return there
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {close[0]}? " if close else ""
    shown = [*dict.fromkeys([*FRIENDLY, *known])]
    others = f" and {len(shown) - _SHOWN_NAMES} others" if len(shown) > _SHOWN_NAMES else ""
    raise ConfigError(
        f"There is no field {name}.", f"{hint}Known fields are {', '.join(shown[:_SHOWN_NAMES])}{others}."
    )


def _renamed(condition: Condition, known: KnownFields, is_there: Callable[[str], bool]) -> Condition:
    if isinstance(condition, Joined):
        return replace(condition, parts=tuple(_renamed(part, known, is_there) for part in condition.parts))
    return replace(condition, field=require_field(condition.field, known, is_there))


def _fitted(condition: Condition, known: KnownFields) -> Condition:
    if isinstance(condition, Joined):
        return replace(condition, parts=tuple(_fitted(part, known) for part in condition.parts))
    found = known.get(condition.field, KnownField())
    _require_operator(condition, condition.field, found)
    return replace(
        condition, values=tuple(_value(value, condition, condition.field, found) for value in condition.values)
    )


def _require_operator(test: Comparison, name: str, found: KnownField) -> None:
    of_lists = test.operator in {"contains", "not contains"}
    if of_lists and found.kinds and "list" not in found.kinds:
        raise ConfigError(
            f"{name} holds no lists, and contains asks whether a value is in a list.",
            f"Ask for a part of a text with {name} like '%…%'.",
        )
    if found.kinds == {"list"} and not of_lists and not test.operator.startswith("is"):
        raise ConfigError(f"{name} holds lists.", f"Ask {name} contains 'x'.")
    if test.operator in {"like", "not like"} and found.kinds and "text" not in found.kinds:
        raise ConfigError(f"{name} holds no texts, and like asks how a text reads.", f"Ask such as {name} == 1.")
    if test.operator in {"<", "<=", ">", ">="} and (found.kinds == {"bool"} or isinstance(test.values[0], bool)):
        raise ConfigError(f"{name} {test.operator}: true and false have no order.", f"Ask {name} == true.")


def _value(value: Value, test: Comparison, name: str, found: KnownField) -> Value:
    if test.operator in {"like", "not like"} or (not found.typed and test.operator in {"contains", "not contains"}):
        return value
    if found.typed is not None:
        fitted: Value | None = fitting(value, found.typed)
        if fitted is None:
            raise ConfigError(f"The filter has {misfit(name, value, found.typed)}.", "Write a value of this type.")
        return fitted
    kinds = found.kinds & {"text", "number", "bool"}
    if kinds and kind_of(value) not in kinds:
        raise ConfigError(
            f"The filter compares {name} with {value!r}, a {kind_of(value)}; {name} holds"
            f" {' and '.join(sorted(_PLURALS[kind] for kind in kinds))}.",
            "Texts stand in quotes; numbers, true and false do not.",
        )
    return value


_PLURALS = {"text": "texts", "number": "numbers", "bool": "true or false"}
