"""What stands before every request.

The names that a browser may call this server by, where a page that posts comes from, how large a body may be and how
slow, and the headers that keep a page from being used by others. Plain ASGI: bodies stay streams.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tuku.config import ServeConfig
from tuku.web.bodies import Body
from tuku.web.problems import RefusedError

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_PROBES = frozenset({"/healthz", "/readyz"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_API = "/api/v1/"  # to ask a model may cost money: another site's page shall not even look as if it wanted a picture
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
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def names_of(config: ServeConfig) -> Callable[[str], bool]:
    """Whether it may be called so (in lower case, without a port).

    Against DNS rebinding: a stranger's page whose name was made to lead here is still called by that name. An address
    is nobody's name; and where there is a token, such a page has none.
    """
    own = _LOCAL_NAMES | {config.host.lower(), *(name.lower() for name in config.allowed_hosts)}
    if is_loopback(config.host) or config.allowed_hosts:
        return own.__contains__
    if config.token is not None:
        return bool
    return lambda name: name in own | {socket.gethostname().lower()} or _is_address(name)


class Guards:
    """Refuses what comes in a wrong way, and sees every answer off with its headers.

    Args:
        app: what is guarded.
        may_be_called: see `names_of`.
        most_bytes: by path, the largest body where it is not the usual one.
        too_large: what is said of a larger one.
        body_s: longest time for a body, seconds from when somebody begins to read it.
    """

    def __init__(
        self,
        app: ASGIApp,
        may_be_called: Callable[[str], bool],
        most_bytes: Mapping[str, int],
        too_large: Callable[[], RefusedError],
        body_s: float,
    ) -> None:
        self._app, self._may_be_called, self._most_bytes = app, may_be_called, most_bytes
        self._too_large, self._body_s = too_large, body_s

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
            if scope["method"] not in _SAFE or scope["path"].startswith(_API):
                _require_same_origin(headers)
            self._require_size(headers, most)
        except RefusedError as refusal:
            await refusal.response()(scope, receive, send)
            return
        body = Body(receive, most, self._body_s, self._too_large)
        await self._app(scope, body.receive, send)

    def _require_name(self, host: str) -> None:
        if not self._may_be_called(_without_port(host).lower()):
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
    """Browsers say which page asks; programs need not."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    same = origin is None or origin.partition("://")[2].lower() == headers.get("host", "").lower()
    if site not in {None, "same-origin", "none"} or not same:
        raise RefusedError(
            403, "Another site's page may not ask here.", "Use this server's own page.", code="cross_origin"
        )


def _with_headers(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sent


def _is_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host) is not None
    except ValueError:
        return False


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") <= 1 else host
