"""The page over a fake catalogue on a real port, in a thread of this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import uvicorn

from fakes.catalogue import FakeCatalogue
from tuku.config import Config, ServeConfig
from tuku.storage import Storage
from tuku.web.app import make_app
from tuku.web.server import _address, _listening, _settings


@contextmanager
def page_server(catalogue: FakeCatalogue, storage: Storage | None = None, **serve: object) -> Iterator[str]:
    """The page's address, without a slash at its end."""
    config = Config(serve=ServeConfig(port=0, **serve))
    with closing(_listening(config)) as listener:
        server = uvicorn.Server(_settings(make_app(config, catalogue, storage), config))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        until_s = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < until_s, "the server does not start"
            time.sleep(0.01)
        try:
            yield _address(config.serve.host, listener.getsockname()[1]).rstrip("/")
        finally:
            server.should_exit = True
            thread.join(15)
