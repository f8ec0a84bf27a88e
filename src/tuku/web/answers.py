"""Answers as the API gives them: the contract's JSON, without what is nobody's business."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from tuku.search.known_fields import KnownField, KnownFields
from tuku.search.results import Result, SearchAnswer
from tuku.uris import bare, scheme_of

_MOST_VALUES = 40
_MOST_CHARACTERS = 120
"""Longer texts are no values to choose from."""


def shown_uri(uri: str, *, local_paths: bool) -> str:
    """A picture's URI without credentials and query; of a local one, its file's name alone, unless all may be shown."""
    if scheme_of(uri) != "file":
        return bare(uri)
    if local_paths:
        return uri
    path = unquote(urlsplit(uri).path) if uri[:5].lower() == "file:" else uri
    return PurePosixPath(path).name


def result_dict(result: Result, *, local_paths: bool) -> dict[str, Any]:
    """One image."""
    return {**result.to_dict(), "uri": shown_uri(result.uri, local_paths=local_paths)}


def answer_dict(
    answer: SearchAnswer, *, local_paths: bool, like: str | None = None, image_sha256: str | None = None
) -> dict[str, Any]:
    """The object of `search --json`; of the query also what its picture was.

    Args:
        answer: to a query.
        local_paths: whether paths on this machine may be shown.
        like: the stored image that was searched with.
        image_sha256: of the picture that was sent.
    """
    whole = answer.to_dict()
    query = {**whole["query"], "like": like, "image_sha256": image_sha256}
    if like is not None:
        query["image"] = None
    elif isinstance(query["image"], str) and scheme_of(query["image"]) != "file":
        query["image"] = bare(query["image"])
    results = [result_dict(result, local_paths=local_paths) for result in answer.results]
    uris = {result.uri for result in answer.results} | ({str(answer.query.image)} if like is not None else set())
    notes = [_without(uris, note, local_paths=local_paths) for note in answer.notes]
    return {**whole, "query": query, "results": results, "notes": notes}


def field_dicts(known: KnownFields) -> list[dict[str, Any]]:
    """What filters can be made of, in the collection's order, the fields that tuku itself keeps left out."""
    return [_field(name, field) for name, field in known.items() if name not in _OWN]


def to_json(value: Any) -> bytes:
    """As UTF-8; half a surrogate pair, which UTF-8 cannot have, stays an escape."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode()
    except UnicodeEncodeError:
        return json.dumps(value, default=str).encode()


_OWN = frozenset({"id", "origin", "run_id", "caption_model", "embed_model", "content_sha256"})
_SHOWN_AS = {"image_description": "caption"}


def _without(uris: Iterable[str], note: str, *, local_paths: bool) -> str:
    """A note, with pictures named as results name them: a reranker may say which one it could not read."""
    for uri in sorted(uris, key=len, reverse=True):
        if uri:
            note = note.replace(uri, shown_uri(uri, local_paths=local_paths))
    return note


def _field(name: str, field: KnownField) -> dict[str, Any]:
    counted = sorted(field.values.items(), key=lambda pair: (-pair[1], str(pair[0])))
    shown = [pair for pair in counted if len(str(pair[0])) <= _MOST_CHARACTERS][:_MOST_VALUES]
    return {
        "name": _SHOWN_AS.get(name, name),
        "kinds": sorted(field.kinds),
        "values": [{"value": value, "count": count} for value, count in shown],
        "distinct": len(field.values),
        "least": field.least,
        "most": field.most,
    }
