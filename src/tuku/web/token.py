"""The optional token: as a bearer for programs, as a cookie after a form for people."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from tuku.web.problems import RefusedError

COOKIE = "tuku_session"
SESSION_S = 7 * 24 * 3600
_OPEN = ("/healthz", "/readyz", "/login", "/session", "/static/")
"""Nothing of the catalogue is there."""


class Token:
    """Knows who may come in.

    Args:
        secret: the token.
        clock: seconds since 1970.
    """

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._secret, self._clock = secret.encode(), clock

    def fits(self, given: str) -> bool:
        """Whether this is the token; it takes as long whatever is given."""
        return hmac.compare_digest(_digest(given.encode(errors="surrogatepass")), _digest(self._secret))

    def session(self) -> str:
        """The value of a cookie: good for `SESSION_S`, and the token cannot be told from it."""
        return self._signed(int(self._clock()) + SESSION_S)

    def knows(self, session: str) -> bool:
        """Whether a cookie is one of ours, and still good."""
        until = session.partition(".")[0]
        if not until.isdecimal() or len(until) > 12 or int(until) < self._clock():  # noqa: PLR2004  # 12 digits: year 33658
            return False
        return hmac.compare_digest(session.encode(), self._signed(int(until)).encode())

    def lets_in(self, headers: Headers) -> bool:
        """Whether a request comes from somebody who has the token."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            # Headers are read as Latin-1, and programs send UTF-8.
            return self.fits(given.strip().encode("latin-1").decode(errors="replace"))
        return self.knows(_cookie(headers))

    def _signed(self, until: int) -> str:
        return f"{until}.{hmac.new(self._secret, f'tuku page {until}'.encode(), hashlib.sha256).hexdigest()}"


class TokenGuard:
    """Lets only those in who have the token.

    Args:
        app: what is guarded.
        token: None: everybody is let in.
        login: answers a person who is not.
    """

    def __init__(self, app: ASGIApp, token: Token | None, login: ASGIApp) -> None:
        self._app, self._token, self._login = app, token, login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or self._token is None or scope["path"].startswith(_OPEN):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if self._token.lets_in(headers):
            await self._app(scope, receive, send)
        elif scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            await self._login(scope, receive, send)
        else:
            refusal = RefusedError(401, "This needs the token.", "Send it as Authorization: Bearer …", code="no_token")
            await refusal.response()(scope, receive, send)


def _digest(value: bytes) -> bytes:
    """So that not even the length can be measured."""
    return hashlib.sha256(value).digest()


def _cookie(headers: Headers) -> str:
    """Ours. Cookies know no ports: there may be others, of whatever else runs on this machine, in any form."""
    return cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
