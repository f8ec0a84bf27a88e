"""A local server that answers as object stores are documented, for those that no real server here speaks for."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit

GENERATION = "1762077600000000"
"""By which Google tells the versions of every object here."""


@dataclass(frozen=True)
class Asked:
    """A request: with its whole address if the server was asked as a proxy."""

    method: str
    address: str
    headers: dict[str, str]


@dataclass
class ObjectServer:
    """Answers GET with what `objects` holds by address, percent escapes undone.

    Attributes:
        url: its own address.
        objects: content by address; an object's ETag is its content in quotes.
        cut: addresses whose content breaks off after its first byte.
        hung_s: seconds for which an answer to these addresses stands still after its first byte.
        statuses: answers to the next requests, in place of what there is.
        asked: all requests.
    """

    url: str
    objects: dict[str, bytes] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    hung_s: dict[str, float] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def object_server() -> Iterator[ObjectServer]:
    """Start one, and end it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.state = ObjectServer(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.state  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        state: ObjectServer = self.server.state  # type: ignore[attr-defined]
        state.asked.append(Asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        parts = urlsplit(self.path)
        address = unquote(f"http://{parts.netloc}{parts.path}" if parts.netloc else parts.path)
        content = state.objects.get(address)
        if state.statuses:
            self._answer(state.statuses.pop(0), b"")
        elif content is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        elif self.headers.get("If-None-Match") == f'"{content.decode()}"':
            self._answer(304, b"", content)
        else:
            self._answer(200, content, content, cut=address in state.cut, hung_s=state.hung_s.get(address, 0.0))

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        state: ObjectServer = self.server.state  # type: ignore[attr-defined]
        state.asked.append(Asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        self._answer(state.statuses.pop(0) if state.statuses else 200, b"", b"written")

    def _answer(
        self, status: int, body: bytes, content: bytes | None = None, *, cut: bool = False, hung_s: float = 0.0
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Mon, 02 Nov 2026 10:00:00 GMT")
        self.send_header("x-goog-generation", GENERATION)
        if content is not None:
            self.send_header("ETag", f'"{content.decode()}"')
        self.end_headers()
        self.wfile.write(body[:1])
        self.wfile.flush()
        time.sleep(hung_s)
        if cut:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        with suppress(OSError):  # nobody waits for it any more
            self.wfile.write(body[1:])

    def log_message(self, *_: object) -> None:
        """Quietly."""
