"""A hub on this machine: as much of the Hub's HTTP API as a download of one commit asks for.

    GET  /api/models/MAKER/MODEL/tree/COMMIT?recursive=true    the list of files
    HEAD /MAKER/MODEL/resolve/COMMIT/FILE                      its length and ETag
    GET  /MAKER/MODEL/resolve/COMMIT/FILE                      its bytes

Errors have the Hub's status codes and its header X-Error-Code.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_LARGE = (".safetensors", ".bin", ".onnx")


@dataclass(frozen=True)
class Published:
    """A model on the hub: one commit of a folder's files; those who have no token may not have a gated one."""

    folder: Path
    commit: str = COMMIT
    token: str | None = None

    def files(self) -> list[str]:
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.folder).as_posix() for path in found)

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


class Hub:
    """Serves on 127.0.0.1.

    Attributes:
        url: its address without a final slash: HF_ENDPOINT.
        models: what it has, by id.
        hits: how often each method and path was asked for.
        down: what every request is answered with, an HTTP status; None while the hub works.
    """

    def __init__(self, models: dict[str, Published]) -> None:
        self.url = ""
        self.models = models
        self.hits: Counter[str] = Counter()
        self.down: int | None = None
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application(middlewares=[self._count])
        app.router.add_get("/api/models/{maker}/{model}/tree/{commit}", self._tree)
        app.router.add_get("/{maker}/{model}/resolve/{commit}/{file:.+}", self._file)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    def asked(self) -> Counter[str]:
        """`hits` for models; huggingface_hub asks something else of a hub once a day, and does without an answer."""
        return Counter(
            {path: count for path, count in self.hits.items() if any(model in path for model in self.models)}
        )

    def sent(self) -> list[str]:
        """Names of the files whose bytes were asked for, each as often."""
        paths = [path for path in self.hits.elements() if path.startswith("GET ") and "/resolve/" in path]
        return sorted(path.partition(f"/{COMMIT}/")[2] for path in paths)

    @web.middleware
    async def _count(self, request: web.Request, handler) -> web.StreamResponse:
        self.hits[f"{request.method} {request.path}"] += 1
        if self.down is not None:
            return web.Response(status=self.down)
        return await handler(request)

    def _asked(self, request: web.Request) -> Published | web.Response:
        found = self.models.get(f"{request.match_info['maker']}/{request.match_info['model']}")
        if found is None:
            return _fault(401, "RepoNotFound", "Repository not found")  # so that nobody learns which exist
        if request.match_info["commit"] != found.commit:
            return _fault(404, "RevisionNotFound", "Invalid rev id")
        return found

    async def _tree(self, request: web.Request) -> web.Response:
        model = self._asked(request)
        return model if isinstance(model, web.Response) else web.json_response([*map(_entry(model), model.files())])

    async def _file(self, request: web.Request) -> web.Response:
        model = self._asked(request)
        if isinstance(model, web.Response):
            return model
        if model.token and request.headers.get("Authorization") != f"Bearer {model.token}":
            return _fault(403, "GatedRepo", "Access to this model is restricted")
        name = request.match_info["file"]
        if name not in model.files():
            return _fault(404, "EntryNotFound", "Entry not found")
        content = model.read(name)
        headers = {"X-Repo-Commit": model.commit, "ETag": f'"{_oid(name, content)}"'}
        return web.Response(body=content, headers=headers)


def _fault(status: int, code: str, message: str) -> web.Response:
    return web.Response(status=status, headers={"X-Error-Code": code, "X-Error-Message": message})


def _entry(model: Published):
    def entry(name: str) -> dict[str, object]:
        content = model.read(name)
        found = {"type": "file", "path": name, "size": len(content), "oid": _blob(content)}
        if name.endswith(_LARGE):
            found["lfs"] = {"oid": _oid(name, content), "size": len(content), "pointerSize": 134}
        return found

    return entry


def _oid(name: str, content: bytes) -> str:
    return hashlib.sha256(content).hexdigest() if name.endswith(_LARGE) else _blob(content)


def _blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def serve(models: Mapping[str, Published | Path]) -> Iterator[Hub]:
    """A hub in a thread, gone at the end of the block."""
    from tuku.loop import LoopThread

    published = {name: Published(each) if isinstance(each, Path) else each for name, each in models.items()}
    hub, loop = Hub(published), LoopThread("hub")
    try:
        loop.run(hub.start())
        yield hub
    finally:
        loop.run(hub.stop())
        loop.close()
