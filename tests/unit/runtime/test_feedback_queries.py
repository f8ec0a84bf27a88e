"""Queries made of clicks: a file that is there is left alone, and one bad click spoils nothing."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tuku.errors import ConfigError
from tuku.runtime.feedback_queries import FeedbackQueries
from tuku.search.feedback import Click, write_clicks
from tuku.search.query import Query
from tuku.storage import DiskStorage


def clicked(lake: Path, *filters: str | None) -> DiskStorage:
    storage = DiskStorage(lake)
    now = datetime.now(timezone.utc)
    write_clicks(storage, [Click(now, "a cat", None, "image", where, ("a",), "a", 1, "0.1.0") for where in filters])
    return storage


def garbage(query: Query) -> ConfigError | None:
    return ConfigError("garbage") if query.where and query.where.startswith("garbage") else None


def test_what_does_not_fit_is_left_out_and_counted(tmp_path: Path):
    storage, file = clicked(tmp_path / "lake", None, "garbage" * 99, "price < 3"), tmp_path / "clicks.jsonl"
    queries, [note] = FeedbackQueries.of(storage, file).written(garbage)
    assert [each.query.where for each in queries] == [None, "price < 3"]
    assert [each.place for each in queries] == [f"{file}, line 1", f"{file}, line 2"]
    written = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [line.get("where") for line in written] == [None, "price < 3"]
    assert note.startswith("1 of 3 queries from feedback were left out")
    assert "such as where garbagegarbage" in note
    assert len(note) < 250


def test_where_all_fit_there_is_nothing_to_note(tmp_path: Path):
    queries, notes = FeedbackQueries.of(clicked(tmp_path, None), tmp_path / "clicks.jsonl").written(garbage)
    assert (len(queries), notes) == (1, [])


def test_where_none_fits_nothing_is_written(tmp_path: Path):
    file = tmp_path / "clicks.jsonl"
    with pytest.raises(ConfigError, match="1 of 1 queries"):
        FeedbackQueries.of(clicked(tmp_path, "garbage"), file).written(garbage)
    assert not file.exists()


def test_a_file_that_exists_is_not_overwritten(tmp_path: Path):
    file = tmp_path / "by_hand.jsonl"
    file.write_text("months of work")
    with pytest.raises(ConfigError, match="exists") as error:
        FeedbackQueries.of(clicked(tmp_path, None), file)
    assert "leave out --from-feedback" in error.value.remedy
    assert file.read_text() == "months of work"


def test_stdin_cannot_be_written(tmp_path: Path):
    with pytest.raises(ConfigError, match="- is stdin"):
        FeedbackQueries.of(clicked(tmp_path, None), Path("-"))


def test_a_lake_without_clicks_is_said(tmp_path: Path):
    with pytest.raises(ConfigError, match="No clicks on the results of a text"):
        FeedbackQueries.of(DiskStorage(tmp_path), tmp_path / "clicks.jsonl")
