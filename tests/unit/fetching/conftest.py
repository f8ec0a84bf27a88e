"""A folder with a few files, and a misbehaving server that serves it."""

from __future__ import annotations

import pytest

from fakes.image_server import serve
from tuku.config import FetchConfig
from tuku.fetching import GuardedFetcher
from tuku.retry import WITHOUT_WAITING


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    (folder / "a.jpg").write_bytes(b"first")
    (folder / "图 片.jpg").write_bytes("图".encode())
    (folder / "large.jpg").write_bytes(bytes(2_000))
    return folder


@pytest.fixture(scope="session")
def shared_server(folder):
    with serve(folder) as server:
        yield server


@pytest.fixture
def server(shared_server):
    shared_server.hits.clear()
    shared_server.requests.clear()
    return shared_server


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setenv(WITHOUT_WAITING, "1")


@pytest.fixture
def fetcher_of():
    """Makes fetchers that may talk to this machine, unless told otherwise."""
    made = []

    def make(resolve=None, policy=None, **config):
        config = {"allow_private_networks": "allowed_hosts" not in config, **config}
        made.append(GuardedFetcher(FetchConfig(**config), resolve=resolve, policy=policy))
        return made[-1]

    yield make
    for fetcher in made:
        fetcher.close()
