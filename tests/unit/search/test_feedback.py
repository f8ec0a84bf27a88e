"""Clicks: kept whole, and made into labelled queries."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from tuku.search.feedback import Click, labelled_lines, read_clicks, write_clicks
from tuku.storage import DiskStorage

CAT = Click(
    clicked_at=datetime(2026, 11, 22, 3, 4, 5, tzinfo=timezone.utc),
    text="a cat",
    image_sha256=None,
    target="image",
    where=None,
    shown=("a", "b"),
    image_id="b",
    rank=2,
    version="0.1.0",
)


def test_clicks_come_back_as_they_were(tmp_path: Path):
    storage = DiskStorage(tmp_path)
    name = write_clicks(storage, [CAT, replace(CAT, text=None, image_sha256="00", where="price < 3")])
    assert name.startswith("feedback/clicks-20261122T030405-")
    [table] = read_clicks(storage)
    rows = table.to_pylist()
    assert Click(**{**rows[0], "shown": tuple(rows[0]["shown"])}) == CAT
    assert rows[1]["where"] == "price < 3"


def test_what_was_opened_is_relevant(tmp_path: Path):
    storage = DiskStorage(tmp_path)
    write_clicks(storage, [CAT, replace(CAT, image_id="a", rank=1), CAT, replace(CAT, where="price < 3")])
    write_clicks(storage, [replace(CAT, text="猫"), replace(CAT, image_sha256="00"), replace(CAT, text=None)])
    lines = {json.dumps(json.loads(line), sort_keys=True) for line in labelled_lines(read_clicks(storage))}
    assert lines == {
        '{"relevant": ["b", "a"], "text": "a cat"}',
        '{"relevant": ["b"], "text": "a cat", "where": "price < 3"}',
        '{"relevant": ["b"], "text": "\\u732b"}',
    }


def test_a_lake_without_clicks_has_none(tmp_path: Path):
    assert labelled_lines(read_clicks(DiskStorage(tmp_path))) == []
