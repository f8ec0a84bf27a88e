"""Imports that end well with fewer rows than their files hold, on Milvus Lite with an importer that plays them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from fakes import memory_lake
from fakes.import_jobs import LOST_ROWS, PlayedImporter
from fakes.memory_lake import MemoryLake, configured, failed, images
from tuku.config import Config
from tuku.load_ledger import LoadLedger
from tuku.milvus import begun, collection, job, load, rebuild
from tuku.milvus.capabilities import embedded
from tuku.milvus.connect import connected
from tuku.storage import DiskStorage

pytestmark = pytest.mark.milvus

ROWS, FILE_ROWS = 100, 40
SHORT = ["part-00000.parquet", "part-00002.parquet"]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configured(str(tmp_path / "milvus.db"), load={"staging_uri": str(tmp_path / "staged")})


@pytest.fixture
def importer(config: Config, monkeypatch: pytest.MonkeyPatch) -> PlayedImporter:
    """Two of three files come out short; what it imports goes into Milvus Lite, which has no imports of its own."""

    def bring(name: str, rows: pa.Table) -> None:
        with connected(config.milvus) as client:
            client.insert(name, [row | json.loads(row.pop("$meta")) for row in rows.to_pylist()])

    played = PlayedImporter({name: ["short"] for name in SHORT}, bring=bring)
    monkeypatch.setattr(job, "ask", lambda client, config: replace(embedded(), imports="rest"))
    monkeypatch.setattr(rebuild, "importer", lambda config, kind: played)
    monkeypatch.setattr(begun, "rows_per_file", lambda *given: FILE_ROWS)
    return played


@pytest.fixture
def lake() -> MemoryLake:
    return MemoryLake(images([f"i{n}" for n in range(ROWS)], "r1"))


def require_whole(config: Config, importer: PlayedImporter) -> None:
    """Every row is there once, although not every one was imported."""
    assert importer.imported.total() == ROWS - len(SHORT) * LOST_ROWS
    with connected(config.milvus) as client:
        client.load_collection("tuku")
        assert collection.count(client, "tuku") == ROWS
        found = client.query("tuku", filter="", output_fields=["id"], limit=2 * ROWS)
    assert {row["id"] for row in found} == {f"i{n}" for n in range(ROWS)}


def test_the_rows_that_were_lost_are_sent(
    config: Config, importer: PlayedImporter, lake: MemoryLake, tmp_path: Path
) -> None:
    report = memory_lake.run(config, lake, tmp_path / "ledgers")
    assert failed(report) == []
    assert (report.inserted, report.files) == (ROWS, 3)
    require_whole(config, importer)


@pytest.mark.parametrize("flushed", [False, True])
def test_a_load_that_dies_before_the_rows_are_on_disk_sends_them_again(
    config: Config,
    importer: PlayedImporter,
    lake: MemoryLake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    flushed: bool,
) -> None:
    """A server indexes nothing that was not flushed, and the next load would wait for it until `milvus.timeout_s`."""
    flush, flushes = load.flush, []

    def dies(*given) -> None:
        if flushed:
            flush(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(load, "flush", dies)
        with pytest.raises(KeyboardInterrupt):
            memory_lake.run(config, lake, tmp_path / "ledgers")
    [ledger] = LoadLedger.all(DiskStorage(tmp_path / "ledgers"))
    assert {name for name, file in ledger.files.items() if file.state != "done"} == set(SHORT)
    monkeypatch.setattr(load, "flush", lambda *given: flushes.append(flush(*given)))
    report = memory_lake.run(config, lake, tmp_path / "ledgers", "r2")
    assert failed(report) == []
    assert (report.collection, len(flushes)) == ("tuku__r1", 1)  # it has gone on
    require_whole(config, importer)
