"""The OpenAPI schema as a page shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Operation:
    """One thing that the API does.

    Attributes:
        parameters: name, what it may be, and what it is for.
        bodies: by media type, what is sent.
        answers: status and description.
    """

    method: str
    path: str
    summary: str
    parameters: tuple[tuple[str, str, str], ...]
    bodies: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...]
    answers: tuple[tuple[str, str], ...]


def operations(schema: Mapping[str, Any]) -> list[Operation]:
    """All operations of an OpenAPI schema, in its order."""
    return list(_operations(schema))


def _operations(schema: Mapping[str, Any]) -> Iterator[Operation]:
    for path, methods in schema["paths"].items():
        for method, about in methods.items():
            bodies = about.get("requestBody", {}).get("content", {})
            yield Operation(
                method.upper(),
                path,
                about.get("description") or about.get("summary", ""),
                tuple(
                    (each["name"], _kind(each["schema"], schema), each.get("description", ""))
                    for each in about.get("parameters", [])
                ),
                tuple((kind, _properties(body["schema"], schema)) for kind, body in bodies.items()),
                tuple((status, each.get("description", "")) for status, each in about["responses"].items()),
            )


def _properties(body: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    body = _resolved(body, schema)
    properties = body.get("properties")
    if properties is None:
        return (("(the whole body)", _kind(body, schema), body.get("description", "")),)
    return tuple((name, _kind(each, schema), each.get("description", "")) for name, each in properties.items())


def _kind(about: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    about = _resolved(about, schema)
    if "anyOf" in about:
        return " or ".join(_kind(each, schema) for each in about["anyOf"] if each.get("type") != "null")
    if "enum" in about:
        return " | ".join(map(str, about["enum"]))
    limits = [
        f"{sign} {about[name]:,}"
        for name, sign in (("minimum", "≥"), ("maximum", "≤"), ("maxLength", "characters ≤"), ("maxItems", "items ≤"))
        if name in about
    ]
    default = [f"default {json.dumps(about['default'])}"] if about.get("default") not in (None, {}) else []
    return ", ".join([str(about.get("format", about.get("type", "any"))), *limits, *default])


def _resolved(about: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = about.get("$ref")
    if reference is None:
        return about
    found: Mapping[str, Any] = schema["components"]["schemas"][reference.rpartition("/")[2]]
    return found
