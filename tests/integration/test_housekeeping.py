"""Housekeeping behind the back of a real Milvus Lite, and as part of a real night."""

from __future__ import annotations

import json

import pytest

from tuku.lake import Lake
from tuku.lake_view import LakeView

pytestmark = [pytest.mark.ray, pytest.mark.milvus]


@pytest.mark.long
@pytest.mark.timeout(400)  # four commands that start Ray or Milvus
def test_nights_that_keep_house_and_a_load_after_that(tuku, catalogue):
    lines = catalogue.read_text(encoding="utf-8").splitlines()
    part = catalogue.with_name("part.csv")
    part.write_text("\n".join(lines[:9]) + "\n", encoding="utf-8")
    first = tuku("ingest", part, "--json")
    assert first.code == 0, first.err
    whole = ("ingest", catalogue, "--json", "--set", "lake.compact_files=1")
    second = tuku(*whole)
    assert second.code == 0, second.err
    assert second.json["load"]["inserted"] == len(lines) - 9
    assert "compacted into 1 file" in second.err
    lake = Lake.at(str(tuku.lake))
    view = LakeView.everything(lake)
    assert [bool(run.replaces) for run in lake.runs()] == [False, False, True]
    assert (len(view.files), view.rows()) == (1, len(lines) - 1)
    assert [run.work() for run in lake.runs()] == [[], [], []]

    loaded = tuku("load", "--json")
    assert loaded.code == 0, loaded.err
    assert (loaded.json["load"]["strategy"], loaded.json["load"]["inserted"]) == ("upsert", 0)
    assert loaded.json["verify"]["passed"]

    third = tuku(*whole).json
    assert (third["exit_code"], third["rows"]["unchanged"]) == (0, len(lines) - 1)
    assert (third["load"]["inserted"], third["load"]["deleted"]) == (0, 0)
    seen = json.loads(tuku("lake", "--json").out)
    assert (seen["images"], seen["stored_rows"]) == (len(lines) - 1, len(lines) - 1)
    assert (seen["runs"]["compaction"], seen["runs"]["replaced"], seen["runs"]["committed"]) == (1, 2, 1)
