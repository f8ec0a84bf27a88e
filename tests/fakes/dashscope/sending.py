"""How an answer goes out, or does not. Each of these raises `ConnectionError` if the client has gone."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

from aiohttp import web

_JSON = "application/json"
_HTML = "<html><head><title>503 Service Temporarily Unavailable</title></head><body>nginx</body></html>"

_WATCH_S = 0.2
_DRIP_S = 0.2
_DRIP_BYTES = 1_000_000
_ON_ITS_WAY_S = 0.02
_LINGER_NOT = struct.pack("ii", 1, 0)


async def send_json(http: web.Request, body: bytes) -> web.StreamResponse:
    """All of it, at once."""
    response = web.Response(body=body, content_type=_JSON)
    await response.prepare(http)
    await response.write_eof()
    return response


def is_open(http: web.Request) -> bool:
    """Whether the client is still there."""
    return http.transport is not None and not http.transport.is_closing()


def reset(http: web.Request) -> None:
    """End the connection without a word, so that the client's system reports a reset."""
    if http.transport is not None:
        connection = http.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        http.transport.abort()


async def _unavailable_html(_: web.Request) -> web.StreamResponse:
    return web.Response(text=_HTML, status=503, content_type="text/html")


async def _reset_before(http: web.Request) -> web.StreamResponse:
    reset(http)
    return web.Response()


async def _hang(http: web.Request) -> web.StreamResponse:
    while is_open(http):  # noqa: ASYNC110  # a transport tells no event that it has gone
        await asyncio.sleep(_WATCH_S)
    return web.Response()


async def _drip(http: web.Request) -> web.StreamResponse:
    """Blanks before a JSON that never comes."""
    response = web.StreamResponse(headers={"Content-Type": _JSON, "Content-Length": str(_DRIP_BYTES)})
    await response.prepare(http)
    while is_open(http):
        await response.write(b" ")
        await asyncio.sleep(_DRIP_S)
    return response


async def _truncated(http: web.Request, body: bytes) -> web.StreamResponse:
    return await send_json(http, body[: len(body) * 2 // 3])


async def _reset_middle(http: web.Request, body: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": _JSON, "Content-Length": str(len(body))})
    await response.prepare(http)
    await response.write(body[: len(body) // 2])
    await asyncio.sleep(_ON_ITS_WAY_S)
    reset(http)
    return response


UNANSWERED: dict[str | None, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
    "unavailable_html": _unavailable_html,
    "reset_before": _reset_before,
    "hang": _hang,
    "drip": _drip,
}
"""Faults in which no answer is made."""

SPOILT: dict[str | None, Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]] = {
    "truncated_json": _truncated,
    "reset_middle": _reset_middle,
}
"""Faults in which an answer is made, and paid for, but does not arrive whole."""
