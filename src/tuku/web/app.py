"""The application: its parts, its routes, and what stands before them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from tuku import __version__
from tuku.config import Config
from tuku.errors import RowError, TukuError
from tuku.storage import Storage
from tuku.web import routes_images, routes_pages, routes_search
from tuku.web.asking import most_bytes, too_large
from tuku.web.catalogue import Catalogue
from tuku.web.executor import BoundedExecutor
from tuku.web.feedback import Feedback
from tuku.web.guards import Guards, names_of
from tuku.web.metrics import Counting, Metrics
from tuku.web.models import Search, schemas_of
from tuku.web.problems import RefusedError, answer_problem
from tuku.web.readiness import Readiness
from tuku.web.site import Site
from tuku.web.thumbnails import Thumbnails
from tuku.web.token import Token, TokenGuard
from tuku.web.uploads import Uploads

_CLICK_BYTES = 500_000
_PICTURES_AT_ONCE, _PICTURES_WAITING = 4, 512
_ERRORS = (RefusedError, TukuError, RowError, RequestValidationError, ValidationError, HTTPException, Exception)


def make_app(config: Config, catalogue: Catalogue, storage: Storage | None) -> ASGIApp:
    """The page and its API.

    Args:
        config: the configuration.
        catalogue: what is searched.
        storage: where clicks are kept; None: nowhere.
    """
    metrics = Metrics()
    token = Token(config.serve.token.get_secret_value()) if config.serve.token else None
    api = FastAPI(
        title="tuku",
        version=__version__,
        description="Search a catalogue of images.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would lead to whatever host the client names
        lifespan=partial(_running, config=config, catalogue=catalogue, storage=storage, metrics=metrics),
    )
    api.state.token = token
    for router in (routes_search.router, routes_images.router, routes_pages.router):
        api.include_router(router)
    for error in _ERRORS:
        api.add_exception_handler(error, answer_problem)
    _describe_bodies(api)
    guarded = TokenGuard(api, token, routes_pages.ask_for_token)
    limits = {"/api/v1/search": most_bytes(config), "/api/v1/feedback": _CLICK_BYTES}
    serve = config.serve
    return Counting(Guards(guarded, names_of(serve), limits, partial(too_large, config), serve.timeout_s), metrics)


@asynccontextmanager
async def _running(
    api: FastAPI, config: Config, catalogue: Catalogue, storage: Storage | None, metrics: Metrics
) -> AsyncIterator[None]:
    """Everything that belongs to the event loop, from the first request to the last."""
    serve = config.serve
    executor = BoundedExecutor("search", serve.concurrency, serve.waiting, serve.timeout_s)
    uploads = Uploads(serve.concurrency, serve.waiting, serve.timeout_s)
    painting = BoundedExecutor("thumbnail", _PICTURES_AT_ONCE, _PICTURES_WAITING, serve.timeout_s)
    thumbnails = Thumbnails(catalogue, config.decode, painting, serve.thumbnail_cache_mb * 1_000_000)
    feedback = None
    if storage is not None:
        feedback = Feedback(storage, lambda outcome, clicks: metrics.feedback.labels(outcome).inc(clicks))
    readiness = Readiness(catalogue.check, serve.timeout_s)
    api.state.site = Site(config, catalogue, executor, uploads, thumbnails, metrics, feedback, readiness)
    flushing = asyncio.create_task(feedback.keep_flushing(serve.feedback_flush_s)) if feedback else None
    try:
        yield
    finally:
        if flushing is not None and feedback is not None:
            flushing.cancel()
            with suppress(asyncio.CancelledError):
                await flushing
            await feedback.flush()
        executor.close()
        painting.close()
        readiness.close()


def _describe_bodies(api: FastAPI) -> None:
    """The schema also has what is read from bodies by hand."""
    generate = api.openapi

    def described() -> dict[str, Any]:
        schema = generate()
        schema["components"]["schemas"].update(schemas_of(Search))
        return schema

    api.openapi = described  # type: ignore[method-assign]  # FastAPI's own way to extend it
