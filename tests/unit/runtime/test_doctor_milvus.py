"""What the doctor says of Milvus and of the place where files for it wait."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from fakes.import_service import ImportService
from milvus_server import ROOT_TOKEN, MilvusServer
from tuku.config import Config
from tuku.errors import ConfigError, MilvusError, StorageError
from tuku.milvus import connect
from tuku.milvus.connect import connected
from tuku.runtime.doctor_milvus import check_milvus, check_staging
from tuku.runtime.findings import Doubtful, Skipped


def configured(uri: object, load: dict[str, Any] | None = None, **milvus: Any) -> Config:
    return Config.model_validate({"milvus": {"uri": str(uri), **milvus}, "load": load or {}})


@pytest.mark.milvus
def test_embedded_milvus_before_and_after_the_first_load(tmp_path: Path) -> None:
    config = configured(tmp_path / "milvus.db")
    before = check_milvus(config)
    assert "it is not there yet, the first load makes it" in before
    assert list(tmp_path.iterdir()) == []
    with connected(config.milvus):
        pass
    after = check_milvus(config)
    assert after == before.removesuffix("\nit is not there yet, the first load makes it")
    first, *others = after.split("\n")
    assert first == f"Milvus Lite, version {version('milvus-lite')}, at {tmp_path / 'milvus.db'}"
    assert others[:2] == ["several vector fields", "no bulk import"]
    assert "HNSW_SQ" in others[2]
    assert others[3:] == [
        "readers use an alias named tuku",
        "a fresh collection is filled by inserting rows (load.staging_uri is not set)",
    ]


@pytest.mark.parametrize("made", [True, False])
@pytest.mark.milvus
def test_what_is_configured_and_cannot_be(tmp_path: Path, made: bool) -> None:
    uri = tmp_path / "milvus.db"
    if made:
        with connected(configured(uri).milvus):
            pass
    with pytest.raises(
        ConfigError, match=r"milvus\.index\.type is DISKANN, which Milvus Lite .* Choose one of AUTOINDEX"
    ):
        check_milvus(configured(uri, index={"type": "DISKANN"}))
    found = check_milvus(configured(uri, load={"staging_uri": str(tmp_path)}))
    assert isinstance(found, Doubtful)
    assert (
        found.detail.splitlines()[0]
        == "load.staging_uri is set, and this Milvus has no bulk import: rows will be inserted."
    )


def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "CONNECT_TIMEOUT_S", 0.2)
    with pytest.raises(MilvusError) as stopped:
        check_milvus(configured("http://127.0.0.1:9"))
    assert "milvus.uri" in stopped.value.remedy


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusServer]:
    with MilvusServer(tmp_path_factory.mktemp("milvus") / "server", authorization=True) as running:
        yield running


@pytest.mark.milvus
def test_a_server(server: MilvusServer, tmp_path: Path) -> None:
    usual = {"token": ROOT_TOKEN, "vectors": ["image"]}
    lines = str(check_milvus(configured(server.uri, {"staging_uri": str(tmp_path)}, **usual))).split("\n")
    assert lines[0].startswith("a Milvus server, version ")
    assert lines[1:3] == ["databases default", "it asks for a token, and takes this one"]
    assert lines[3:5] == ["one vector field in a collection", "bulk import by gRPC"]
    assert lines[-1] == "a fresh collection is filled by bulk import of files of 256 MB"
    for token in (None, "root:wr0ng"):
        with pytest.raises(MilvusError) as refused:
            check_milvus(configured(server.uri, token=token, vectors=["image"]))
        assert "MILVUS_TOKEN" in refused.value.remedy
        assert "wr0ng" not in str(refused.value)
    with pytest.raises(ConfigError, match="one vector field"):
        check_milvus(configured(server.uri, token=ROOT_TOKEN))
    with pytest.raises(ConfigError, match=r"load\.bulk_import is rest, which this Milvus does not have"):
        check_milvus(configured(server.uri, {"staging_uri": str(tmp_path), "bulk_import": "rest"}, **usual))
    with ImportService(ROOT_TOKEN) as service:
        load = {"staging_uri": str(tmp_path), "rest_url": service.url}
        assert "bulk import by REST" in str(check_milvus(configured(server.uri, load, **usual)))


def staged(uri: object, **load: str) -> str | Skipped:
    return check_staging(configured("x.db", {"staging_uri": str(uri), **load}))


def test_where_files_wait_and_how_milvus_names_them(tmp_path: Path) -> None:
    assert staged(tmp_path) == (f"{tmp_path} can be written to; Milvus looks for files below {tmp_path}/tuku-staging")
    assert "looks for files below /seen/tuku-staging" in str(staged(tmp_path, staging_path="/seen"))
    assert "is not there yet, the first load makes it" in str(staged(tmp_path / "a" / "b"))
    assert list(tmp_path.iterdir()) == []


def test_where_no_files_can_wait(tmp_path: Path) -> None:
    assert isinstance(check_staging(configured("x.db")), Skipped)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        staged(tmp_path / "file" / "deeper")
    with pytest.raises(ConfigError, match=r"load\.staging_uri"):
        staged("gs://bucket/x")
