"""Bodies: not larger than they may be, and not slower than people wait."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

import httpx
import pytest

from fakes.catalogue import FakeCatalogue
from page_server import page_server
from tuku.config import Config
from tuku.web import connections, server
from tuku.web.server import _settings


@pytest.mark.parametrize("path", ["/login", "/api/v1/feedback", "/api/v1/search"])
def test_nobody_holds_a_connection_with_a_body_that_does_not_come(path: str):
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    with page_server(FakeCatalogue(), timeout_s=0.5) as url:
        address = urlsplit(url)
        with socket.create_connection((address.hostname or "", address.port or 0)) as held:
            held.settimeout(5)
            held.sendall(head.encode())
            began_s, answer = time.monotonic(), b""
            while part := held.recv(10_000):
                answer += part
            assert time.monotonic() - began_s < 4
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"The request came too slowly." in answer


@pytest.mark.parametrize("answered", ["", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"])
@pytest.mark.parametrize("begun", ["", "GET / HTTP/1.1\r\nX: "])
def test_nobody_holds_a_connection_without_a_request(answered: str, begun: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "HEADER_S", 0.5)
    monkeypatch.setattr(server, "_KEEP_ALIVE_S", 1)
    with page_server(FakeCatalogue()) as url:
        address = urlsplit(url)
        with socket.create_connection((address.hostname or "", address.port or 0)) as held:
            held.settimeout(5)
            if answered:
                held.sendall(answered.encode())
                assert held.recv(10_000).startswith(b"HTTP/1.1 200")
            held.sendall(begun.encode())
            while held.recv(10_000):
                pass  # until it is closed


def test_a_request_may_take_longer_than_its_header(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "HEADER_S", 0.2)
    with page_server(FakeCatalogue(before=lambda: time.sleep(0.6))) as url, httpx.Client() as client:
        for _ in range(2):
            assert client.get(f"{url}/api/v1/search", params={"text": "red"}).status_code == 200


def test_connections_are_bounded_below_the_files_that_may_be_open():
    assert 500 < (_settings(None, Config()).limit_concurrency or 0) < 1_000
