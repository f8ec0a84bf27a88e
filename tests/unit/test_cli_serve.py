"""`tuku serve` on the command line."""

from __future__ import annotations

import threading

import pytest
from click.testing import CliRunner

from tuku.cli_serve import serve


def test_a_browser_that_is_slow_to_open_holds_nothing_up(monkeypatch: pytest.MonkeyPatch):
    shown, closed = threading.Event(), threading.Event()

    def slowly(_address: str) -> None:
        shown.set()
        closed.wait(20)

    monkeypatch.setattr("webbrowser.open", slowly)
    monkeypatch.setattr("tuku.web.server.serve", lambda _config, announce: announce("http://127.0.0.1:1/"))
    ended = threading.Thread(target=lambda: CliRunner().invoke(serve, ["--open"]), daemon=True)
    ended.start()
    assert shown.wait(20)
    ended.join(5)
    assert not ended.is_alive()
    closed.set()
