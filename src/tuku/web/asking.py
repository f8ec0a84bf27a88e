"""A request becomes a query, and the bytes of its picture."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.requests import Request

from tuku.config import Config
from tuku.search.query import Query
from tuku.uris import scheme_of
from tuku.web.hidden import require_shown
from tuku.web.models import Asked, Search
from tuku.web.problems import RefusedError

BESIDE_BYTES = 65_536
"""What else than the picture may be in the body of a search."""
_MOST_FIELDS = 20


@dataclass(frozen=True)
class Question:
    """A query as it came.

    Attributes:
        image_sha256: of the picture that was sent, if any.
    """

    query: Query
    image_sha256: str | None = None


def most_bytes(config: Config) -> int:
    """The largest body of a search: its picture in base64."""
    return config.serve.max_upload_bytes * 4 // 3 + BESIDE_BYTES


def of_parameters(parameters: Mapping[str, str], config: Config) -> Question:
    """A text query from the query string.

    Raises:
        ValidationError: see `models.Search`.
        RefusedError: it has a picture, or asks for what is not shown.
        WhereError: a condition cannot be understood.
    """
    search = Search.model_validate(_typed(parameters))
    if search.image is not None:
        raise RefusedError(422, "A picture cannot be in the query string.", "Send it by POST.", code="invalid")
    return _question(search, None, config)


async def of_body(request: Request, config: Config) -> Question:
    """A query from a body: JSON, a form with a file, or a picture with everything else in the query string.

    Raises:
        ValidationError: see `models.Search`.
        RefusedError: another kind of body, a picture that is too large or none, or it asks for what is not shown.
        WhereError: a condition cannot be understood.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        search = Search.model_validate_json(await request.body())
        return _question(search, _decoded(search.image, config), config)
    if kind == "multipart/form-data":
        return await _of_form(request, config)
    if kind.startswith("image/") or kind == "application/octet-stream":
        return _question(Search.model_validate(_typed(request.query_params)), await request.body(), config)
    raise RefusedError(
        415,
        "This kind of body is not understood.",
        "Send application/json, multipart/form-data, or a picture as image/jpeg and the like.",
        code="unknown_body",
    )


def like_of_parameters(parameters: Mapping[str, str], config: Config) -> Query:
    """How to search for what is like a stored image.

    Raises:
        ValidationError: see `models.Asked`.
        RefusedError: it asks for what is not shown.
        WhereError: a condition cannot be understood.
    """
    return _query(Asked.model_validate(_typed(parameters)), config)


def _query(asked: Asked, config: Config) -> Query:
    if not config.serve.local_paths:
        require_shown(asked)
    return Query(
        target=asked.target or config.milvus.vectors[0],
        where=asked.where or None,
        limit=asked.limit,
        offset=asked.offset,
        min_score=asked.min_score,
        boosts=asked.boosts,
        group_by=asked.group_by,
        rerank=asked.rerank,
    )


async def _of_form(request: Request, config: Config) -> Question:
    _require_utf8(request.headers["content-type"])
    async with request.form(max_files=1, max_fields=_MOST_FIELDS, max_part_size=BESIDE_BYTES) as form:
        fields = {name: value for name, value in form.multi_items() if isinstance(value, str) and value != ""}
        files = [(name, value) for name, value in form.multi_items() if isinstance(value, UploadFile)]
        if any(name != "image" for name, _ in files):
            raise RefusedError(422, "A file in a form is called image.", "See /api.", code="invalid")
        search = Search.model_validate(_typed(fields))
        content = await files[0][1].read() if files else _decoded(search.image, config)
    return _question(search, content or None, config)


def _require_utf8(content_type: str) -> None:
    """Clients do not choose how their texts are decoded: some of Python's codecs take quadratic time, others raise."""
    _, options = parse_options_header(content_type)  # as Starlette reads it
    if options.get(b"charset", b"utf-8").lower() not in {b"utf-8", b"utf8"}:
        raise RefusedError(
            415, "A form's texts are UTF-8.", "Leave the charset out, or send UTF-8.", code="unknown_body"
        )


def _typed(fields: Mapping[str, str]) -> dict[str, Any]:
    """Texts as forms and query strings have them; boosts are a JSON object."""
    values: dict[str, Any] = {name: value for name, value in fields.items() if value != ""}
    if "boosts" in values:
        try:
            values["boosts"] = json.loads(values["boosts"])
        except (ValueError, RecursionError):
            raise RefusedError(
                422, "boosts is no JSON object.", 'Write it as {"stock": 1.2}.', code="invalid"
            ) from None
    return values


def _decoded(image: str | None, config: Config) -> bytes | None:
    if not image or _is_address(image):
        return None
    data = image.partition(",")[2] if image.startswith("data:") else image
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        addresses = ", or an http(s) URL" if config.serve.image_urls else ""
        raise RefusedError(
            422, "The image is no base64.", f"Send the file's bytes in base64{addresses}.", code="invalid"
        ) from None


def _question(search: Search, content: bytes | None, config: Config) -> Question:
    query = _query(search, config)
    image: str | bytes | None = content
    if content is not None and len(content) > config.serve.max_upload_bytes:
        raise too_large(config)
    if content is None and search.image and _is_address(search.image):
        if not config.serve.image_urls:
            raise RefusedError(
                422, "This server fetches no pictures by their URL.", "Send the picture itself.", code="no_urls"
            )
        image = search.image
    asked = Query(**{**vars(query), "text": (search.text or "").strip() or None, "image": image})
    return Question(asked, None if content is None else hashlib.sha256(content).hexdigest())


def too_large(config: Config) -> RefusedError:
    """The answer to a picture beyond the limit."""
    limit = f"{config.serve.max_upload_bytes / 1e6:g} MB"
    return RefusedError(413, f"The picture has more than {limit}.", "Send a smaller one.", code="too_large")


def _is_address(image: str) -> bool:
    return scheme_of(image[:32]) in {"http", "https"}
