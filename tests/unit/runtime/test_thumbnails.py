"""Small copies of pictures: what is said of one that cannot be had gives nothing away."""

from __future__ import annotations

import logging

import pytest

from fakes.files import FakeFetcher, png
from tuku.config import DecodeConfig
from tuku.errors import RowError
from tuku.runtime.thumbnails import thumbnails


def test_a_missing_picture_is_named_without_secrets_and_escapes(caplog: pytest.LogCaptureFixture):
    gone = RowError("not_found", "It does not exist.")
    signed, nasty = "https://user:secret@host/a.jpg?signature=abc", "/b\x1b[2J.jpg"
    fetcher = FakeFetcher({signed: gone, nasty: gone, "/red.png": png((255, 0, 0), side_px=64)})
    with caplog.at_level(logging.WARNING):
        found = thumbnails([signed, nasty, "/red.png"], fetcher, DecodeConfig(), 16)
    assert [picture is None for picture in found] == [True, True, False]
    said = caplog.text
    assert "https://host/a.jpg" in said
    for harmful in ("secret", "signature", "\x1b"):
        assert harmful not in said
