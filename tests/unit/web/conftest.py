"""The page and its API over a fake catalogue, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

from fakes.catalogue import FakeCatalogue
from tuku.config import Config, ServeConfig
from tuku.storage import Storage
from tuku.web.app import make_app

BASE = "http://127.0.0.1:8600"


@contextmanager
def serving(
    catalogue: FakeCatalogue | None = None, *, storage: Storage | None = None, base: str = BASE, **serve: object
) -> Iterator[TestClient]:
    catalogue = catalogue or FakeCatalogue()
    config = Config(serve=ServeConfig(**serve))
    app = make_app(config, catalogue, storage)
    with TestClient(app, base, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def client() -> Iterator[TestClient]:
    with serving() as client:
        yield client
