"""The server: endpoints, and the page to watch and to steer it by."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from fakes.dashscope.answer import Endpoint
from fakes.dashscope.endpoints import ENDPOINTS
from fakes.dashscope.service import Exchange
from fakes.dashscope.state import State

_MAX_BODY_BYTES = 100_000_000


def create_app(state: State) -> web.Application:
    """Every address that is served."""
    app = web.Application(client_max_size=_MAX_BODY_BYTES)
    for endpoint in ENDPOINTS:
        app.router.add_post(endpoint.path, _exchange(state, endpoint))

    async def page(_: web.Request) -> web.Response:
        return web.json_response(state.page())

    async def items(_: web.Request) -> web.Response:
        return web.json_response(state.items())

    async def configure(http: web.Request) -> web.Response:
        try:
            state.configure(await http.json())
        except ValidationError as error:
            return web.json_response({"error": str(error)}, status=422)
        return web.json_response(state.settings.model_dump(mode="json"))

    async def reset(_: web.Request) -> web.Response:
        state.reset()
        return web.json_response(state.page())

    app.router.add_get("/control", page)
    app.router.add_get("/control/items", items)
    app.router.add_post("/control/configure", configure)
    app.router.add_post("/control/reset", reset)
    return app


def _exchange(state: State, endpoint: Endpoint[Any]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(http: web.Request) -> web.StreamResponse:
        return await Exchange(state, http, endpoint).run()

    return handle


@asynccontextmanager
async def running(state: State, port: int = 0) -> AsyncIterator[str]:
    """Serve on 127.0.0.1, on any free port if it is 0; the server's address without a final slash."""
    runner = web.AppRunner(create_app(state), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
