"""The API's searches, what filters can be made of, and clicks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from tuku.search.results import SearchAnswer
from tuku.web import asking
from tuku.web.answers import answer_dict, field_dicts, to_json
from tuku.web.models import Answer, Asked, Click, Fields, Problem, Search, parameters_of
from tuku.web.names import id_of, no_image
from tuku.web.problems import RefusedError
from tuku.web.site import Here, Site

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "A filter that cannot be understood, or a field that no image has"},
    422: {"model": Problem, "description": "Not valid, or a picture that cannot be used"},
    429: {"model": Problem, "description": "The model's service lets no more through; see Retry-After"},
    503: {"model": Problem, "description": "Busy, or a service is away; see Retry-After"},
}
_TOO_LARGE: dict[int | str, dict[str, Any]] = {413: {"model": Problem, "description": "The picture is too large"}}
_BODIES = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Search"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "description": "The same by name; image is a file, boosts a JSON object.",
                    "properties": {"text": {"type": "string"}, "image": {"type": "string", "format": "binary"}},
                }
            },
            "image/*": {"schema": {"type": "string", "format": "binary", "description": "The rest as parameters."}},
        },
    }
}

router = APIRouter(prefix="/api/v1", tags=["search"])


@router.post("/search", responses={200: {"model": Answer}, **_PROBLEMS, **_TOO_LARGE}, openapi_extra=_BODIES)
async def search(request: Request, site: Here) -> Response:
    """Search with a text, a picture, or both together."""
    async with site.uploads.place(request.headers):
        question = await asking.of_body(request, site.config)
        return await _answered(site, partial(site.catalogue.search, question.query), image_sha256=question.image_sha256)


@router.get(
    "/search",
    responses={200: {"model": Answer}, **_PROBLEMS},
    openapi_extra={"parameters": parameters_of(Search, "image")},
)
async def search_by_text(request: Request, site: Here) -> Response:
    """Search with a text, by URL."""
    question = asking.of_parameters(request.query_params, site.config)
    return await _answered(site, partial(site.catalogue.search, question.query))


@router.get(
    "/images/{image_id}/similar",
    responses={200: {"model": Answer}, 404: {"model": Problem}, **_PROBLEMS},
    openapi_extra={"parameters": parameters_of(Asked)},
)
async def similar(image_id: str, request: Request, site: Here) -> Response:
    """More like this: the stored image's vector is the query, and nothing is encoded."""
    known = id_of(image_id)
    query = asking.like_of_parameters(request.query_params, site.config)
    return await _answered(site, lambda: _found(site.catalogue.similar(known, query)), like=known)


@router.get("/fields", responses={200: {"model": Fields}, **_PROBLEMS})
async def fields(site: Here) -> Response:
    """What filters can be made of, seen in a sample of the images, and what else can be asked of this collection."""
    config = site.config

    def work() -> bytes:
        return to_json(
            {
                "vectors": list(config.milvus.vectors),
                "rerank": site.catalogue.can_rerank(),
                "image_urls": config.serve.image_urls,
                "max_upload_bytes": config.serve.max_upload_bytes,
                "fields": field_dicts(site.catalogue.fields()),
            }
        )

    return json_response(await site.ask(work))


@router.post("/feedback", status_code=204, responses={422: {"model": Problem}})
async def feedback(click: Click, site: Here) -> Response:
    """Say which result was opened. It is kept in the lake, if the configuration says so."""
    if click.rank > len(click.results) or click.results[click.rank - 1] != click.id:
        raise RefusedError(422, "The result of this rank is another one.", "rank counts from 1.", code="invalid")
    if site.feedback is not None:
        site.feedback.add(click)
    return Response(status_code=204)


async def _answered(
    site: Site, work: Callable[[], SearchAnswer], *, like: str | None = None, image_sha256: str | None = None
) -> Response:
    def whole() -> tuple[SearchAnswer, bytes]:
        answer = work()
        local_paths = site.config.serve.local_paths
        return answer, to_json(answer_dict(answer, local_paths=local_paths, like=like, image_sha256=image_sha256))

    answer, content = await site.ask(whole)
    site.metrics.searched(answer.timings_ms)
    site.thumbnails.expect(answer.results)
    return json_response(content)


def json_response(content: bytes) -> Response:
    """JSON that no cache keeps."""
    return Response(content, media_type="application/json", headers={"Cache-Control": "no-store"})


def _found(answer: SearchAnswer | None) -> SearchAnswer:
    if answer is None:
        raise no_image()
    return answer
