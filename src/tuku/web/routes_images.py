"""The catalogue's images: details and thumbnails, by id."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from tuku.errors import TukuError
from tuku.search.results import Result
from tuku.web.answers import result_dict, to_json
from tuku.web.hidden import require_shown
from tuku.web.models import Asked, Found, Images, Problem, Where
from tuku.web.names import id_of, no_image
from tuku.web.problems import RefusedError
from tuku.web.routes_search import json_response
from tuku.web.site import Here

_CACHED = "private, max-age=600"
_MISSING = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 24" width="320" height="240">\
<rect width="32" height="24" fill="#8883"/>\
<path d="M9 16l4-5 3 3 3-4 4 6z" fill="none" stroke="#888" stroke-width=".7" stroke-linejoin="round"/>\
<path d="M8 19L24 5" stroke="#888" stroke-width=".7"/></svg>"""
_PROBLEMS: dict[int | str, dict[str, Any]] = {404: {"model": Problem}, 503: {"model": Problem}}

router = APIRouter(prefix="/api/v1/images", tags=["images"])


@router.get("", responses={200: {"model": Images}, 400: {"model": Problem}, 503: {"model": Problem}})
async def some(
    site: Here, limit: Annotated[int, Query(ge=1, le=100)] = 24, where: Annotated[Where, Query()] = ""
) -> Response:
    """Some images of the catalogue that meet a filter, in no order: for a first look."""
    if not site.config.serve.local_paths:
        require_shown(Asked(where=where))

    def work() -> tuple[list[Result], bytes]:
        found = site.catalogue.some(limit, where or None)
        local_paths = site.config.serve.local_paths
        return found, to_json({"results": [result_dict(each, local_paths=local_paths) for each in found]})

    found, content = await site.ask(work)
    site.thumbnails.expect(found)
    return json_response(content)


@router.get("/{image_id}", responses={200: {"model": Found}, **_PROBLEMS})
async def details(image_id: str, site: Here) -> Response:
    """An image's caption, keywords and metadata. An id that cannot stand in a path is written ``~`` and base64url."""
    known = id_of(image_id)

    def work() -> bytes:
        found = site.catalogue.find(known)
        if found is None:
            raise no_image()
        return to_json(result_dict(found, local_paths=site.config.serve.local_paths))

    return json_response(await site.ask(work))


@router.get(
    "/{image_id}/thumbnail",
    responses={200: {"content": {"image/jpeg": {}}}, 304: {}, 404: {"content": {"image/svg+xml": {}}}},
)
async def thumbnail(
    image_id: str, request: Request, site: Here, w: Annotated[Literal["160", "320", "640"], Query()] = "320"
) -> Response:
    """The image as a JPEG that fits a square of `w` px, freshly encoded; a placeholder where it cannot be had."""
    counted = site.metrics.thumbnails.labels
    try:
        made, outcome = await site.thumbnails.get(id_of(image_id), int(w))
    except (RefusedError, TukuError):
        counted("refused").inc()
        raise
    if made.missing:
        counted(outcome).inc()
        return Response(_MISSING, 404, {"Cache-Control": "no-store"}, "image/svg+xml")
    headers = {"Cache-Control": _CACHED, "ETag": made.etag}
    if made.etag in request.headers.get("if-none-match", ""):
        counted("not_modified").inc()
        return Response(status_code=304, headers=headers)
    counted(outcome).inc()
    return Response(made.content, media_type="image/jpeg", headers=headers)
