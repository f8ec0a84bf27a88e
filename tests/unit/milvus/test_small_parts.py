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
from tuku.milvus.alias import collection_name
from tuku.milvus.connect import MissingFileError, connect
from tuku.milvus.filters import ids_in, quoted
from tuku.milvus.load import regrouped
from tuku.milvus.loaded_runs import MAX_LISTED, RUNS, LoadedRuns
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
    noted = LoadedRuns().adding(["r2", "r1"])
    assert LoadedRuns.read(noted.note()) == noted
    assert "r1" in noted
    assert "r0" not in noted  # begun earlier, committed later: still to be loaded


def test_the_ledger_of_many_runs_stays_small_and_forgets_none() -> None:
    runs = [f"20260101T{n:06d}" for n in range(3 * MAX_LISTED)]
    noted = LoadedRuns()
    for run in runs:
        noted = noted.adding([run])
    assert all(run in noted for run in runs)
    assert "20260101T999999" not in noted
    assert len(noted.note()[RUNS]) < 20_000


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
