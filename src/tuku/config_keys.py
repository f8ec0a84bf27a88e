"""Which configuration keys exist and what each one allows, in words, read off the models' own JSON schema."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from tuku.config import Config

Path = tuple[str, ...]
"""Where a key stands: ``("caption", "quota", "requests_per_min")``. The empty path is the whole configuration."""


_SECRETS = ("key", "token", "secret", "password", "passwd", "authorization", "credential", "credentials", "signature")


@dataclass(frozen=True)
class Key:
    """A key, a section of keys, or an entry of a dictionary such as ``milvus.index.params.M``."""

    schema: Mapping[str, Any]

    @property
    def children(self) -> Mapping[str, Mapping[str, Any]] | None:
        """Schemas of the keys below, by name; None if this is no section."""
        return self.schema.get("properties")

    @property
    def is_secret(self) -> bool:
        """Whether its value may come from the environment only."""
        return any(form.get("format") == "password" for form in _forms(self.schema))

    @property
    def is_text(self) -> bool:
        """Whether its value is free text (or null), which needs no quotes in a variable or in ``--set``."""
        kinds = {form.get("type") if "enum" not in form else "enum" for form in _forms(self.schema)}
        return "string" in kinds and kinds <= {"string", "null"}


def looks_secret(name: str) -> bool:
    """Whether an entry of a dictionary, such as ``api_key`` or ``accessToken``, is named as a secret would be."""
    letters = "".join(character for character in name.lower() if character.isalnum())
    return letters.endswith(_SECRETS)


def is_own_key(path: Path) -> bool:
    """Whether tuku has a key of this name, as opposed to an entry of a dictionary, which bears any name."""
    section = find_key(path[:-1])
    return section is not None and section.children is not None and path[-1] in section.children


def find_key(path: Path) -> Key | None:
    """The key at `path`, or None if there is none."""
    schema: Mapping[str, Any] = _schema()
    for name in path:
        below = schema.get("properties", {}).get(name) or _entry(schema, name)
        if not below:
            return None
        schema = _resolved(below)
    return Key(schema)


def allowed_values(path: Path) -> str:
    """What the known key at `path` may be, such as "a whole number from 0 to 20, or null"."""
    key = find_key(path)
    return _in_words(key.schema) if key else ""


def allowed_names(path: Path) -> str:
    """What could stand where the unknown key `path` does, the name closest to it first."""
    *parents, name = path
    while (parent := find_key(tuple(parents))) is None:
        name = parents.pop()
    section = ".".join(parents)
    if parent.children is None:
        return f"{section} is no section: it is {_in_words(parent.schema)}"
    known = list(parent.children)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    names = ", ".join(close + [other for other in known if other not in close])
    hint = f"did you mean {'.'.join([*parents, *close])}? " if close else ""
    return f"{hint}known {f'keys of {section}' if section else 'sections'}: {names}"


@cache
def _schema() -> dict[str, Any]:
    return Config.model_json_schema()


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    resolved: Mapping[str, Any] = _schema()["$defs"][reference.rsplit("/", 1)[-1]] if reference else schema
    return resolved


def _entry(schema: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """The schema of a dictionary's entry of this name."""
    for pattern, entry in schema.get("patternProperties", {}).items():
        if re.match(pattern, name):
            matched: Mapping[str, Any] = entry
            return matched
    return schema.get("additionalProperties") or None


def _forms(schema: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    forms: Sequence[Mapping[str, Any]] = schema.get("anyOf", [schema])
    return forms


def _in_words(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return ", or ".join(_in_words(form) for form in schema["anyOf"])
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    return _WORDS[schema["type"]](schema)


def _text_in_words(schema: Mapping[str, Any]) -> str:
    if schema.get("format") == "date":
        return "a date such as 2026-11-01"
    if "pattern" in schema:
        return f"text that matches {schema['pattern']}"
    return "text, not empty" if schema.get("minLength") else "text"


def _list_in_words(schema: Mapping[str, Any]) -> str:
    some = "of at least one item" if schema.get("minItems") else "(it may be empty)"
    return f"a list {some}, each {_in_words(schema['items'])}"


def _dictionary_in_words(schema: Mapping[str, Any]) -> str:
    for pattern, entry in schema.get("patternProperties", {}).items():
        return f"a dictionary whose names match {pattern} and whose values are {_in_words(entry)}"
    return f"a dictionary whose values are {_in_words(schema['additionalProperties'])}"


def _range_in_words(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above = schema.get("exclusiveMinimum")
    if above is not None:
        return f" above {above:g}" + (f", at most {_number(high)}" if high is not None else "")
    if low is not None and high is not None:
        return f" from {_number(low)} to {_number(high)}"
    return f", {_number(low)} or more" if low is not None else ""


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "integer": lambda schema: "a whole number" + _range_in_words(schema),
    "number": lambda schema: "a number" + _range_in_words(schema),
    "string": _text_in_words,
    "array": _list_in_words,
    "object": _dictionary_in_words,
    "boolean": lambda _: "true or false",
    "null": lambda _: "null",
}
