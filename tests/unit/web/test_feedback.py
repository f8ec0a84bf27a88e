"""Clicks are kept, in whole files, and nothing that goes wrong with that harms a search."""

from __future__ import annotations

import hashlib
import time
from contextlib import contextmanager

import pyarrow.parquet as pq

from fakes.files import png
from fakes.models import COLOURS
from tuku import __version__
from tuku.errors import StoppedError
from tuku.search.feedback import CLICKS, labelled_lines, read_clicks
from tuku.storage import DiskStorage
from tuku.web import feedback
from unit.web.conftest import serving

BLUE = png(COLOURS["blue"], 64)


def click(client, query: dict, shown: list[str], opened: str, **more: object):
    body = {"query": query, "results": shown, "id": opened, "rank": shown.index(opened) + 1, **more}
    return client.post("/api/v1/feedback", json=body)


def test_a_click_is_written_with_its_query_at_the_end(tmp_path):
    with serving(storage=DiskStorage(tmp_path)) as client:
        answer = client.post("/api/v1/search", data={"text": "red", "in": "both"}, files={"image": BLUE}).json()
        shown = [each["id"] for each in answer["results"]]
        assert click(client, answer["query"], shown, shown[1]).status_code == 204
        assert list(tmp_path.rglob("*.parquet")) == []
    [file] = (tmp_path / "feedback").iterdir()
    table = pq.read_table(file)
    assert table.schema.equals(CLICKS)
    [row] = table.to_pylist()
    assert (row["text"], row["target"], row["where"], row["like"]) == ("red", "both", None, None)
    assert row["image_sha256"] == hashlib.sha256(BLUE).hexdigest()
    assert row["shown"] == shown
    assert (row["image_id"], row["rank"], row["version"]) == (shown[1], 2, __version__)
    assert BLUE not in file.read_bytes()


def test_clicks_are_written_as_time_goes_by(tmp_path):
    with serving(storage=DiskStorage(tmp_path), feedback_flush_s=0.05) as client:
        click(client, {"text": "red"}, ["a"], "a")
        until_s = time.monotonic() + 5
        while not list(tmp_path.rglob("clicks-*.parquet")) and time.monotonic() < until_s:
            time.sleep(0.02)
        click(client, {"text": "blue"}, ["b"], "b")
    files = sorted(tmp_path.rglob("*.parquet"))
    assert sorted(text for file in files for text in pq.read_table(file)["text"].to_pylist()) == ["blue", "red"]
    assert len(files) == 2
    lines = labelled_lines(read_clicks(DiskStorage(tmp_path)))
    assert sorted(lines) == ['{"text": "blue", "relevant": ["b"]}', '{"text": "red", "relevant": ["a"]}']


class FullDisk(DiskStorage):
    @contextmanager
    def atomic(self, name: str, *, durable: bool = True):
        raise StoppedError("The disk is full.")
        yield


def test_a_full_disk_does_not_break_searching(tmp_path):
    with serving(storage=FullDisk(tmp_path), feedback_flush_s=0.02) as client:
        assert click(client, {"text": "red"}, ["a"], "a").status_code == 204
        time.sleep(0.2)
        assert client.get("/api/v1/search?text=red").status_code == 200
        text = client.get("/metrics").text
    assert 'tuku_feedback_total{outcome="failed"}' in text
    assert 'tuku_feedback_total{outcome="recorded"} 1.0' in text
    assert 'outcome="written"' not in text


def test_what_makes_no_sense_is_not_kept(tmp_path):
    with serving(storage=DiskStorage(tmp_path)) as client:
        for wrong in (
            {"results": ["a", "b"], "id": "b", "rank": 1},
            {"results": ["a"], "id": "a", "rank": 2},
            {"results": ["a"], "id": "a", "rank": 0},
            {"results": [], "id": "a", "rank": 1},
            {"results": ["a" * 600], "id": "a" * 600, "rank": 1},
            {"results": ["a"] * 501, "id": "a", "rank": 1},
        ):
            assert client.post("/api/v1/feedback", json={"query": {"text": "x"}, **wrong}).status_code == 422
        assert click(client, {"text": "x" * 2001}, ["a"], "a").status_code == 422
        assert click(client, {"image_sha256": "../x"}, ["a"], "a").status_code == 422
    assert not (tmp_path / "feedback").exists()


def test_memory_is_bounded_when_nothing_can_be_written(tmp_path, monkeypatch):
    """However few results a click names."""
    monkeypatch.setattr(feedback, "MOST_CHARACTERS", 7_000)
    with serving(storage=FullDisk(tmp_path)) as client:
        for _ in range(6):
            click(client, {"text": "red" * 666}, ["a", "b"], "a")
        text = client.get("/metrics").text
    assert 'tuku_feedback_total{outcome="recorded"} 3.0' in text
    assert 'tuku_feedback_total{outcome="dropped"} 3.0' in text


def test_it_can_be_switched_off(client):
    assert click(client, {"text": "red"}, ["a"], "a").status_code == 204
