"""`tuku serve`: listens, says where, and ends gently."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import uvicorn

from tuku.config import Config
from tuku.errors import ConfigError
from tuku.runtime.serving import LiveCatalogue, OutOfServiceError
from tuku.storage import storage_at
from tuku.web.app import make_app
from tuku.web.connections import PromptProtocol
from tuku.web.guards import is_loopback

_BACKLOG = 512
_CONNECTIONS = 800
"""So many may be open beside those of searches, for pictures or idle; with them, fewer than the usual 1,024 files."""
_KEEP_ALIVE_S = 30
"""So long a connection that has been answered may stay open."""
_GRACE_S = 10
"""So long after SIGTERM requests under way may end."""


def serve(config: Config, announce: Callable[[str], object]) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Args:
        config: the configuration.
        announce: called with the page's address once it can be reached.

    Raises:
        ConfigError: it may not, or cannot, listen there; or a key for the lake is wrong.
        TukuError: there is nothing to search in: see `open_searcher`.
    """
    require_closed(config)
    storage = storage_at(config.lake.uri) if config.serve.feedback else None
    with closing(_listening(config)) as listener, closing(LiveCatalogue(config)) as catalogue:
        _require_ready(catalogue)
        app = make_app(config, catalogue, storage)
        address = _address(config.serve.host, listener.getsockname()[1])
        _Server(_settings(app, config), lambda: announce(address)).run(sockets=[listener])


def require_closed(config: Config) -> None:
    """Nobody opens a catalogue to a network without meaning to.

    Raises:
        ConfigError: other machines could reach it, and there is no token.
    """
    if is_loopback(config.serve.host) or config.serve.token is not None or config.serve.open:
        return
    raise ConfigError(
        f"serve.host {config.serve.host} can be reached from other machines, and there is no token.",
        "Set TUKU_SERVE_TOKEN (16 characters or more) in the environment, or serve.open: true to let everybody in.",
    )


def _require_ready(catalogue: LiveCatalogue) -> None:
    """Models are loaded, and mistakes found, before anybody asks."""
    try:
        catalogue.check()
    except OutOfServiceError as error:
        raise error.__cause__ or error from None


def _listening(config: Config) -> socket.socket:
    host, port = config.serve.host, config.serve.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on {host}:{port}: {error.strerror or error}.",
            "Set --port to another one (0: any that is free), or serve.host to an address of this machine.",
        ) from error
    # Connections inherit it. asyncio sets it on those alone whose socket names its protocol, which this one does not;
    # without it, each answer waits 40 ms for the client to acknowledge its header.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _address(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}/"


def _settings(app: object, config: Config) -> uvicorn.Config:
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    if config.serve.access_log:
        access = logging.getLogger("uvicorn.access")
        access.setLevel(logging.INFO)
        access.addHandler(logging.StreamHandler())
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_config=None,
        access_log=config.serve.access_log,
        lifespan="on",
        server_header=False,
        http=PromptProtocol,
        ws="none",
        timeout_keep_alive=_KEEP_ALIVE_S,
        limit_concurrency=_CONNECTIONS + config.serve.concurrency + config.serve.waiting,
        timeout_graceful_shutdown=_GRACE_S,
        h11_max_incomplete_event_size=64 * 1024,
    )


class _Server(uvicorn.Server):
    """Says when it is up, and ends with SIGTERM as a server should: with everything done, and exit code 0."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Like uvicorn's, but a signal that has been obeyed is not raised again."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
