"""The page, its files, the form for the token, the API's description, and what operators ask."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from tuku.html import page_environment
from tuku.web.assets import asset
from tuku.web.metrics import CONTENT_TYPE
from tuku.web.reference import operations
from tuku.web.site import Here
from tuku.web.token import COOKIE, SESSION_S, Token

_WRONG_TOKEN_S = 0.5

router = APIRouter(include_in_schema=False)


@router.get("/")
async def page(request: Request) -> Response:
    """The search page."""
    return asset("index.html", request.headers)


@router.get("/static/{name}")
async def static(name: str, request: Request) -> Response:
    """A style sheet, a script or a picture of the page."""
    return asset(name, request.headers)


@router.get("/api")
async def reference(request: Request) -> Response:
    """The API's description, for people."""
    schema = request.app.openapi()
    template = page_environment().get_template("api.html.j2")
    return Response(template.render(info=schema["info"], operations=operations(schema)), media_type="text/html")


@router.get("/healthz")
async def healthz() -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
async def readyz(site: Here) -> Response:
    """The collection answers."""
    refusal = await site.readiness.refusal()
    return JSONResponse({"status": "ready"}) if refusal is None else refusal.response()


@router.get("/metrics")
async def metrics(site: Here) -> Response:
    """For Prometheus."""
    return Response(site.metrics.text(), media_type=CONTENT_TYPE)


@router.get("/session")
async def session(request: Request) -> Response:
    """Whether a page that was opened from elsewhere (and so without its cookie) needs but be loaded again."""
    token: Token | None = request.app.state.token
    return JSONResponse({"signed_in": token is None or token.lets_in(request.headers)})


@router.post("/login")
async def login(request: Request) -> Response:
    """The token from the form becomes a cookie that no script sees and no other site's page sends."""
    token: Token | None = request.app.state.token
    form = parse_qs((await request.body()).decode(errors="replace"))
    given, after = form.get("token", [""])[0], form.get("next", ["/"])[0]
    if token is None or not token.fits(given):
        await asyncio.sleep(_WRONG_TOKEN_S)
        return login_form(after, wrong=True)
    answer = RedirectResponse(_own_path(after), 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, token.session(), SESSION_S, path="/", httponly=True, samesite="strict", secure=secure)
    return answer


async def ask_for_token(scope: Scope, receive: Receive, send: Send) -> None:
    """An ASGI application: the form, in the place of whatever page was asked for."""
    request = Request(scope)
    query = f"?{request.url.query}" if request.url.query else ""
    await login_form(request.url.path + query)(scope, receive, send)


def login_form(after: str, *, wrong: bool = False) -> Response:
    """The form; `after` is where it leads."""
    text = page_environment().get_template("login.html.j2").render(after=_own_path(after), wrong=wrong)
    return Response(text, 401, {"Cache-Control": "no-store"}, "text/html")


def _own_path(path: str) -> str:
    """The path, if it leads nowhere else."""
    own = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if own else "/"
