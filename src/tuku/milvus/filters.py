"""Milvus filter expressions, written so that no value can break out of its literal."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from tuku.conditions import Comparison, Condition, Joined, Value
from tuku.errors import ConfigError
from tuku.milvus.fields import ID, KEYWORDS, scalar_fields

_ESCAPED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_TO_ESCAPE = re.compile(r'["\\\n\r\t]')
_PLAIN = re.compile(r"[^\W\d]\w*")
_WORDS = frozenset({"and", "or", "not", "in", "like", "is", "null", "exists", "iso", "interval", "true", "false"})
"""Of Milvus Lite 3.1's language, in either case."""


def quoted(text: str) -> str:
    r"""A string literal: double quotes, with backslash escapes (Milvus Lite and servers read both alike)."""
    return '"' + _TO_ESCAPE.sub(lambda found: _ESCAPED[found[0]], text) + '"'


def literal(value: Value) -> str:
    """A text, a number, or a truth, as a filter names it."""
    if isinstance(value, bool):
        return str(value).lower()
    return quoted(value) if isinstance(value, str) else repr(value)


def ids_in(ids: Iterable[str]) -> str:
    """The filter for these primary keys. Milvus Lite returns a row twice if its key is named twice."""
    return f"{ID} in [{', '.join(quoted(key) for key in dict.fromkeys(ids))}]"


def exists(name: str) -> str:
    """The filter for the rows that have a dynamic field of this name."""
    return f"exists {_dynamic(name)}"


def is_bare(name: str) -> bool:
    """Whether every Milvus takes a dynamic field's name without quotes; servers want ASCII."""
    return name.isascii() and _is_plain(name)


def is_prefix(pattern: str) -> bool:
    """Whether a pattern of `like` asks how a text begins and nothing else: all that servers before 2.4 can tell."""
    return re.fullmatch("[^%_]*%?", pattern) is not None


def expression(condition: Condition, typed: Collection[str] = (), *, lite: bool = False) -> str:
    """A condition in Milvus' language. Rows that lack a field are left out of all tests of it but ``is null``.

    Args:
        condition: its fields bear the collection's names.
        typed: what of the metadata is a field of the collection's schema; the rest is dynamic.
        lite: whether it is for Milvus Lite.

    Raises:
        ConfigError: Milvus Lite has no words for it.
    """
    if isinstance(condition, Joined):
        return f" {condition.by} ".join(f"({expression(part, typed, lite=lite)})" for part in condition.parts)
    if condition.field in scalar_fields():
        return _of_every_row(condition)
    return _of_schema(condition) if condition.field in typed else _of_metadata(condition, lite=lite)


def _of_every_row(test: Comparison) -> str:
    """Every row has these fields; one that has nothing to say in them is empty there."""
    empty = f"array_length({KEYWORDS}) == 0" if test.field == KEYWORDS else f'{test.field} == ""'
    if test.operator in {"is null", "is not null"}:
        return empty if test.operator == "is null" else f"not ({empty})"
    return _compared(test.field, test)


def _of_schema(test: Comparison) -> str:
    if test.operator in {"is null", "is not null"}:
        return f"{test.field} {test.operator}"
    return _compared(test.field, test)


def _of_metadata(test: Comparison, *, lite: bool) -> str:
    """Milvus takes a missing key for unequal to anything in some tests, by version: so it is asked for."""
    there = exists(test.field)
    if test.operator in {"is null", "is not null"}:
        return there if test.operator == "is not null" else f"not ({there})"
    of_list = test.operator in {"contains", "not contains"}
    name = _plain(test.field) if lite and of_list else _dynamic(test.field)
    return f"({there}) and ({_compared(name, test)})"


def _compared(name: str, test: Comparison) -> str:
    if test.operator in {"in", "not in"}:
        literals = dict.fromkeys(literal(value) for value in test.values)  # as values, 1 and true are equal
        equal = " or ".join(f"{name} == {each}" for each in literals)
        return equal if test.operator == "in" else f"not ({equal})"
    if test.operator in {"like", "not like"}:
        # Without a wildcard, a server 2.3.5 takes an empty pattern for any text.
        sign = "like" if re.search("[%_]", str(test.values[0])) else "=="
        like = f"{name} {sign} {literal(test.values[0])}"
        return like if test.operator == "like" else f"not ({like})"
    if test.operator in {"contains", "not contains"}:
        function = "array_contains" if test.field == KEYWORDS else "json_contains"
        holds = f"{function}({name}, {literal(test.values[0])})"
        return holds if test.operator == "contains" else f"not ({holds})"
    return f"{name} {test.operator} {literal(test.values[0])}"


def _plain(name: str) -> str:
    """The name as it is: Milvus Lite takes no other in ``json_contains``."""
    if not _is_plain(name):
        raise ConfigError(
            f"Milvus Lite cannot look into the lists of {name}: its filters take that for no name there.",
            "Give the column a name of letters, digits and _ that is no word of its language, or use a server.",
        )
    return name


def _is_plain(name: str) -> bool:
    return _PLAIN.fullmatch(name) is not None and name.lower() not in _WORDS


def _dynamic(name: str) -> str:
    return f"$meta[{quoted(name)}]"
