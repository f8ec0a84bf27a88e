"""Names, filters, the ledger, regrouping: no Milvus needed."""

from __future__ import annotations

import json
from unittest.mock import MagicMock

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuku.config import MilvusConfig
from tuku.errors import ConfigError, MilvusError
from tuku.milvus import load as loading
from tuku.milvus.address import is_local
from tuku.milvus.alias import PROVEN_AT, collection_name, proven_at_ns
from tuku.milvus.connect import MissingFileError, connect
from tuku.milvus.filters import ids_in, quoted
from tuku.milvus.index import INDEX, noted
from tuku.milvus.load import regrouped
from tuku.milvus.loaded_runs import MAX_LISTED, RUNS, LoadedRuns
from tuku.milvus.made_as import MADE_AS, changes, replicas
from tuku.milvus.reader import require_readable


def test_a_collection_name_has_only_allowed_characters_and_is_free() -> None:
    assert collection_name("tuku", "2026-11-21T05:50-ab") == "tuku__2026_11_21T05_50_ab"
    assert collection_name("tuku", "r1", {"tuku__r1", "tuku__r1_2"}) == "tuku__r1_3"
    assert len(collection_name("t" * 200, "r" * 200)) <= 255


@given(st.text())
def test_a_literal_reads_back_as_the_text(text: str) -> None:
    literal = quoted(text)
    assert json.loads(literal, strict=False) == text  # control characters stay: Milvus Lite knows no \\u
    assert '"' not in literal[1:-1].replace("\\\\", "").replace('\\"', "")


def test_each_id_is_named_once() -> None:
    assert ids_in(["a", 'b"', "a"]) == r'id in ["a", "b\""]'


def test_the_ledger_reads_back_what_it_noted() -> None:
    assert LoadedRuns.read({}) is None
    runs = LoadedRuns().adding(["r2", "r1"])
    assert LoadedRuns.read(runs.note()) == runs
    assert "r1" in runs
    assert "r0" not in runs  # begun earlier, committed later: still to be loaded


@pytest.mark.parametrize(
    "note",
    [
        "{",
        "[]",
        "[" * 5_000,
        '{"through": 1, "ids": []}',
        '{"through": null, "ids": []}',
        '{"through": "", "ids": [1]}',
        '{"through": "", "ids": "r1"}',
        '{"through": ""}',
    ],
)
def test_a_note_of_runs_that_tuku_does_not_write_is_not_read(note: str) -> None:
    assert LoadedRuns.read({RUNS: note}) is None


@pytest.mark.parametrize("copies", ["x", None, 0, -1, True, 1.5, [2]])
def test_a_number_of_copies_that_tuku_does_not_write_is_named(copies: object) -> None:
    notes = {MADE_AS: json.dumps({"replicas": copies})}
    with pytest.raises(ConfigError, match=r"property tuku\.made_as of the collection is .*, which tuku does not write"):
        replicas(notes, MilvusConfig())


@pytest.mark.parametrize("note", ["[" * 5_000, "{", "7"])
def test_a_note_of_how_it_was_made_that_nobody_can_read_is_named(note: str) -> None:
    with pytest.raises(ConfigError, match=r"property tuku\.made_as of the collection is "):
        changes({MADE_AS: note}, MilvusConfig())


@pytest.mark.parametrize(
    "note", ["[" * 5_000, "{", "7", '{"type": 5, "metric": "IP", "params": {}}', '{"type": "HNSW", "metric": "IP"}']
)
def test_a_note_of_an_index_that_tuku_does_not_write_tells_nothing(note: str) -> None:
    assert noted({INDEX: note}) == {}


@pytest.mark.parametrize("noted_at", ["9" * 26, "9" * 5_000, "yesterday", "-1", ""])
def test_a_time_that_cannot_be_is_no_proof(noted_at: str) -> None:
    assert proven_at_ns({PROVEN_AT: noted_at}) is None


def test_the_ledger_of_many_runs_stays_small_and_forgets_none() -> None:
    runs = [f"20260101T{n:06d}" for n in range(3 * MAX_LISTED)]
    loaded = LoadedRuns()
    for run in runs:
        loaded = loaded.adding([run])
    assert all(run in loaded for run in runs)
    assert "20260101T999999" not in loaded
    assert len(loaded.note()[RUNS]) < 20_000


@given(st.lists(st.integers(min_value=0, max_value=50), max_size=8), st.integers(min_value=1, max_value=40))
def test_regrouping_keeps_every_row_in_order(sizes: list[int], batch_rows: int) -> None:
    numbers = iter(range(sum(sizes)))
    tables = [pa.table({"n": pa.array([next(numbers) for _ in range(size)], pa.int64())}) for size in sizes]
    groups = list(regrouped(tables, batch_rows))
    assert [n for group in groups for n in group.column("n").to_pylist()] == list(range(sum(sizes)))
    assert all(group.num_rows == batch_rows for group in groups[:-1])
    assert all(0 < group.num_rows <= batch_rows for group in groups)


def test_heavy_rows_are_sent_in_smaller_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "REQUEST_BYTES", 1_000)
    table = pa.table({"text": ["x" * 100] * 50})
    groups = list(regrouped([table], 1_000))
    assert sum(group.num_rows for group in groups) == 50
    assert all(group.nbytes <= 1_100 for group in groups)


@pytest.mark.parametrize(
    ("uri", "local"), [("demo/x.db", True), ("http://h:19530", False), ("unix:/tmp/s", False), ("demo", True)]
)
def test_a_path_is_local(uri: str, local: bool) -> None:
    assert is_local(uri) is local


def test_a_local_path_must_end_in_db(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"does not end in \.db"):
        connect(MilvusConfig(uri=str(tmp_path / "milvus")))
    assert not list(tmp_path.iterdir())


def test_a_missing_file_is_told_and_not_made(tmp_path) -> None:
    config = MilvusConfig(uri=str(tmp_path / "deeper" / "milvus.db"))
    with pytest.raises(MissingFileError, match=r"no Milvus file .*milvus\.db.*tuku ingest.*milvus\.uri"):
        connect(config, create=False)
    assert not list(tmp_path.iterdir())


def test_a_missing_collection_is_told_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuku.milvus.alias.resolve", lambda client, name: None)
    monkeypatch.setattr("tuku.milvus.collection.exists", lambda client, name: False)
    with pytest.raises(ConfigError, match="at http://host:19530") as caught:
        require_readable(MagicMock(), MilvusConfig(uri="http://someone:secret@host:19530"))
    assert "secret" not in str(caught.value)


def test_a_missing_package_is_named(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r'pip install "tuku\[local\]"'):
        connect(MilvusConfig(uri=str(tmp_path / "milvus.db")))


def test_a_server_that_is_not_there_is_told_soon_and_without_the_token() -> None:
    config = MilvusConfig(uri="http://someone:secret@127.0.0.1:9", token="also-secret")
    with pytest.raises(MilvusError, match=r"Cannot connect to Milvus at http://127\.0\.0\.1:9") as caught:
        connect(config)
    assert "secret" not in str(caught.value)
    assert "MILVUS_TOKEN" in caught.value.remedy
