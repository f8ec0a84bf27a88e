"""What stands before every request.

The names that a browser may call this server by, where a page that posts comes from, how large a body may be, and the
headers that keep a page from being used by others. Plain ASGI: bodies stay streams.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Collection, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tuku.config import ServeConfig
from tuku.web.problems import RefusedError

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_PROBES = frozenset({"/healthz", "/readyz"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_ANY_BODY = 65_536

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with it, browsers send the login form with the origin null.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def names_of(config: ServeConfig) -> frozenset[str] | None:
    """The names that it may be called by; None: any."""
    if not is_loopback(config.host) and not config.allowed_hosts:
        return None
    return _LOCAL_NAMES | {config.host.lower()} | {name.lower() for name in config.allowed_hosts}


class Guards:
    """Refuses what comes in a wrong way, and sees every answer off with its headers.

    Args:
        app: what is guarded.
        names: see `names_of`.
        most_bytes: by path, the largest body where it is not the usual one.
        too_large: what is said of a larger one.
    """

    def __init__(
        self,
        app: ASGIApp,
        names: Collection[str] | None,
        most_bytes: Mapping[str, int],
        too_large: Callable[[], RefusedError],
    ) -> None:
        self._app, self._names, self._most_bytes, self._too_large = app, names, most_bytes, too_large

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _with_headers(send)
        headers = Headers(scope=scope)
        most = self._most_bytes.get(scope["path"], _ANY_BODY)
        try:
            if scope["path"] not in _PROBES:
                self._require_name(headers.get("host", ""))
            if scope["method"] not in _SAFE:
                _require_same_origin(headers)
                self._require_size(headers, most)
        except RefusedError as refusal:
            await refusal.response()(scope, receive, send)
            return
        await self._app(scope, _limited(receive, most, self._too_large), send)

    def _require_name(self, host: str) -> None:
        """Against DNS rebinding: a stranger's page whose name leads here is still called by that name."""
        if self._names is not None and _without_port(host).lower() not in self._names:
            raise RefusedError(
                421,
                "This server is not called so.",
                "Open it by the address that `tuku serve` prints, or name this host in serve.allowed_hosts.",
                code="unknown_host",
            )

    def _require_size(self, headers: Headers, most: int) -> None:
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > most:
            raise self._too_large()


def _require_same_origin(headers: Headers) -> None:
    """Browsers say where a POST comes from; programs need not."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    same = origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    if site not in {None, "same-origin", "none"} or not same:
        raise RefusedError(
            403, "Another site's page may not ask here.", "Use this server's own page.", code="cross_origin"
        )


def _limited(receive: Receive, most: int, too_large: Callable[[], RefusedError]) -> Receive:
    """The body as it comes, and the refusal as soon as it is too long, whatever its header said."""
    got = 0

    async def limited() -> Message:
        nonlocal got
        message = await receive()
        if message["type"] == "http.request":
            got += len(message.get("body", b""))
            if got > most:
                raise too_large()
        return message

    return limited


def _with_headers(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sent


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") <= 1 else host
