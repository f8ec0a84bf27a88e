"""A proxy before an object store that writes down what is asked of it; Host stays, so that signatures are valid."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit

_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


@dataclass(frozen=True)
class Exchange:
    """A request, and what came back.

    Attributes:
        method: such as GET.
        path: of the bucket and the key, percent escapes undone.
        query: as it was.
        status: of the answer.
        size: bytes of its body.
    """

    method: str
    path: str
    query: str
    status: int
    size: int


@dataclass
class CountingProxy:
    """A running proxy.

    Attributes:
        url: its address.
        target: host and port behind it.
        exchanges: all that it has seen.
    """

    url: str
    target: str
    exchanges: list[Exchange] = field(default_factory=list)

    def got(self, ending: str = "") -> list[str]:
        """Paths of the objects whose content was sent, in order."""
        return [each.path for each in self.seen("GET", ending) if each.status in {200, 206}]

    def seen(self, method: str, ending: str = "") -> list[Exchange]:
        """Requests for objects; listings are not among them."""
        return [
            each
            for each in self.exchanges
            if each.method == method and each.path.endswith(ending) and "list-type" not in each.query
        ]

    def listings(self) -> int:
        """How often a bucket was listed, or a part of it."""
        return sum("list-type" in each.query for each in self.exchanges)


@contextmanager
def counting_proxy(endpoint: str) -> Iterator[CountingProxy]:
    """Start one before a server, and end it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    proxy = CountingProxy(f"http://127.0.0.1:{server.server_port}", urlsplit(endpoint).netloc)
    server.proxy = proxy  # type: ignore[attr-defined]
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _forward(self) -> None:
        proxy: CountingProxy = self.server.proxy  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = HTTPConnection(proxy.target, timeout=60)
        connection.request(self.command, self.path, body, dict(self.headers.items()))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        parts = urlsplit(self.path)
        proxy.exchanges.append(Exchange(self.command, unquote(parts.path), parts.query, answer.status, len(content)))
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        length = answer.getheader("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self._forward()

    def do_HEAD(self) -> None:
        self._forward()

    def do_PUT(self) -> None:
        self._forward()

    def do_POST(self) -> None:
        self._forward()

    def do_DELETE(self) -> None:
        self._forward()

    def log_message(self, *_: object) -> None:
        """Quietly."""
