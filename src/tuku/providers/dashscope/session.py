"""The one HTTP session of this process for DashScope, and what it does otherwise than the SDK's own.

- It reads no ``~/.netrc``: an entry there would take the key's place.
- It has no limit of connections: waiting for one would count against a request's time (see `Caller.slots`).
- It sends each request once: the SDK sends one again when its connection broke, beside the quota and perhaps billed
  twice.
- It finds error codes in answers of status 200: the SDK drops them.
"""

from __future__ import annotations

import atexit
import logging
import os
from http import HTTPStatus
from typing import Any

import aiohttp

from tuku.providers.api.loop import service_loop

_open: dict[str | None, aiohttp.ClientSession] = {}


class BrokenConnectionError(Exception):
    """A connection broke (see `__cause__`). Not one of aiohttp's, for those are what the SDK sends again."""


class RefusedInsideError(Exception):
    """An answer of status 200 whose body holds an error's code and nothing else of use."""

    def __init__(self, body: dict[str, Any], headers: dict[str, str]) -> None:
        super().__init__("an error in an answer of status 200")
        self.body, self.headers = body, headers


class _Response(aiohttp.ClientResponse):
    async def json(self, **options: Any) -> Any:
        body = await super().json(**options)
        if self.status == HTTPStatus.OK and isinstance(body, dict) and body.get("code") and not body.get("output"):
            raise RefusedInsideError(body, dict(self.headers))
        return body


async def shared_session(proxy: str | None) -> aiohttp.ClientSession:
    """The session, which goes through this proxy; must be called on `service_loop`. It ends with the process."""
    if not _open:
        _quieten()
        atexit.register(_close)
    if proxy not in _open:
        _open[proxy] = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            response_class=_Response,
            middlewares=(_send_once,),
            proxy=proxy,
            trust_env=False,
        )
    return _open[proxy]


async def _send_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    try:
        return await send(request)
    except aiohttp.ClientConnectionError as error:
        raise BrokenConnectionError from error


def _quieten() -> None:
    """Every failure comes back as a row's outcome; the SDK would log each of them once more, with its traceback."""
    if "DASHSCOPE_LOGGING_LEVEL" not in os.environ:
        logging.getLogger("dashscope").setLevel(logging.CRITICAL)


def _close() -> None:
    while _open:
        service_loop().run(_open.popitem()[1].close())
