"""The page's own files: those of the package, by name, and no others."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from starlette.datastructures import Headers
from starlette.responses import Response

from tuku.web.problems import RefusedError

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class _Asset:
    content: bytes = field(repr=False)
    media_type: str
    etag: str


def asset(name: str, headers: Headers) -> Response:
    """A file of the page. A browser asks each time whether it is still the one that it has.

    Raises:
        RefusedError: 404: there is no such file.
    """
    found = _assets().get(name)
    if found is None:
        raise RefusedError(404, "There is no such page.", "The search page is at /.", code="not_found")
    kept = {"Cache-Control": "no-cache", "ETag": found.etag}
    if found.etag in headers.get("if-none-match", ""):
        return Response(status_code=304, headers=kept)
    return Response(found.content, media_type=found.media_type, headers=kept)


@cache
def _assets() -> Mapping[str, _Asset]:
    found = {}
    for file in files("tuku.web").joinpath("static").iterdir():
        media_type = _TYPES.get("." + file.name.rpartition(".")[2])
        if media_type is not None:
            content = file.read_bytes()
            found[file.name] = _Asset(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
    return found
