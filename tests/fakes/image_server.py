"""A web server for a folder of pictures, which can also behave as badly as the servers of the world do.

By hand: ``python tests/fakes/image_server.py FOLDER --port 8000``. In tests: ``with serve(FOLDER) as server``.
Files lie under ``/``, faults under ``/-/``, such as ``/-/status/503`` or ``/-/drip``; see `_FAULTS`.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from aiohttp import web

GZIP_BOMB_BYTES = 20_000_000


class ImageServer:
    """Serves on 127.0.0.1.

    Attributes:
        url: its address without a final slash.
        hits: how often each path was asked for.
        requests: the headers of every request, in order.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.url = ""
        self.hits: Counter[str] = Counter()
        self.requests: list[dict[str, str]] = []
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> None:
        app = web.Application()
        for path, fault in _FAULTS.items():
            app.router.add_get(path, fault)
        app.router.add_get("/-/flaky/{failures}/{name:.+}", self._flaky)
        app.router.add_get("/-/version/{name:.+}", self._version)
        app.router.add_get("/{name:.+}", self._file)
        app.middlewares.append(self._record)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    @web.middleware
    async def _record(self, request: web.Request, handler) -> web.StreamResponse:
        self.hits[request.path] += 1
        if len(self.requests) < 1000:
            self.requests.append(dict(request.headers))
        return await handler(request)

    async def _file(self, request: web.Request) -> web.Response:
        path = (self.folder / request.match_info["name"]).resolve()
        if not path.is_relative_to(self.folder) or not path.is_file():
            raise web.HTTPNotFound
        # Read at once rather than in a thread: in benchmarks the server must be the fast one.
        return web.Response(body=path.read_bytes(), content_type="image/jpeg", headers={"ETag": f'"{path.name}"'})

    async def _flaky(self, request: web.Request) -> web.Response:
        if self.hits[request.path] <= int(request.match_info["failures"]):
            raise web.HTTPServiceUnavailable
        return await self._file(request)

    async def _version(self, request: web.Request) -> web.Response:
        """A file with the headers that the query says; 304 if the request has one of them for condition."""
        conditions = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}
        said = {name: request.query[name] for name in conditions if name in request.query}
        if any(request.headers.get(conditions[name]) == value for name, value in said.items()):
            return web.Response(status=304)
        answer = await self._file(request)
        del answer.headers["ETag"]
        answer.headers.update(said)
        return answer


Server = TypeVar("Server", bound=ImageServer)


async def _status(request: web.Request) -> web.Response:
    return web.Response(status=int(request.match_info["code"]), headers=dict(request.query))


async def _redirect(request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": request.query["to"]})


async def _loop(request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": request.path})


async def _echo(request: web.Request) -> web.Response:
    return web.Response(text=request.headers.get(request.match_info["header"], "none"))


async def _empty(_: web.Request) -> web.Response:
    return web.Response()


async def _silent(_: web.Request) -> web.Response:
    await asyncio.sleep(60)
    return web.Response()


async def _drip(request: web.Request) -> web.StreamResponse:
    """One byte every 20 ms: no single read ever times out."""
    response = web.StreamResponse(headers={"Content-Length": "100000"})
    await response.prepare(request)
    for _ in range(100_000):
        await response.write(b".")
        await asyncio.sleep(0.02)
    return response


async def _endless(request: web.Request) -> web.StreamResponse:
    """No Content-Length and no end."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(10_000):
        await response.write(b"." * 100_000)
    return response


async def _short(request: web.Request) -> web.StreamResponse:
    """A tenth of what the Content-Length promised, then the connection is closed."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"." * 100)
    request.transport.close()
    return response


async def _huge(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(10**12)})
    await response.prepare(request)
    return response


async def _hang_up(request: web.Request) -> web.Response:
    request.transport.abort()
    return web.Response()


async def _gzip_bomb(_: web.Request) -> web.Response:
    return _encoded(gzip.compress(bytes(GZIP_BOMB_BYTES)))


async def _gzip(request: web.Request) -> web.Response:
    return _encoded(gzip.compress(request.match_info["text"].encode()))


async def _gzip_cut(_: web.Request) -> web.Response:
    return _encoded(gzip.compress(bytes(range(256)) * 10)[:-20])


async def _encoding(request: web.Request) -> web.Response:
    return _encoded(b"not compressed", request.match_info["encoding"])


def _encoded(content: bytes, encoding: str = "gzip") -> web.Response:
    return web.Response(body=content, headers={"Content-Encoding": encoding})


_FAULTS = {
    "/-/status/{code}": _status,  # its query becomes headers
    "/-/redirect": _redirect,  # ?to=URL
    "/-/loop": _loop,
    "/-/echo/{header}": _echo,
    "/-/empty": _empty,
    "/-/silent": _silent,
    "/-/drip": _drip,
    "/-/endless": _endless,
    "/-/short": _short,
    "/-/huge": _huge,
    "/-/hang-up": _hang_up,
    "/-/gzip-bomb": _gzip_bomb,
    "/-/gzip/{text}": _gzip,
    "/-/gzip-cut": _gzip_cut,
    "/-/encoding/{encoding}": _encoding,
}


@contextmanager
def serve(folder: Path, kind: type[Server] = ImageServer) -> Iterator[Server]:
    """A server in a thread, gone at the end of the block."""
    from tuku.loop import LoopThread

    server, loop = kind(folder), LoopThread("image-server")
    try:
        loop.run(server.start())
        yield server
    finally:
        loop.run(server.stop())
        loop.close()


async def _serve_forever(folder: Path, port: int) -> None:
    server = ImageServer(folder)
    await server.start(port)
    print(server.url, flush=True)  # noqa: T201  # whoever started it waits for this line
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a folder of pictures; prints its URL.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0, help="default: any that is free")
    arguments = parser.parse_args()
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve_forever(arguments.folder, arguments.port))


if __name__ == "__main__":
    main()
