"""One local DashScope for all tests of a module, as new for each of them."""

from __future__ import annotations

import pytest

from fakes.dashscope import DashScopeServer, Settings


@pytest.fixture(scope="module")
def running_server():
    with DashScopeServer() as server:
        yield server


@pytest.fixture
def server(running_server, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    running_server.configure(**Settings().model_dump(mode="json"))
    running_server.reset()
    return running_server
