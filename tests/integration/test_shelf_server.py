"""Collections and rollback on a real Milvus server, and a load that finds its imports forgotten there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes import memory_lake
from fakes.memory_lake import DIM, MODEL, MemoryLake, configured, failed, images
from milvus_server import MilvusServer
from tuku.config import Config
from tuku.errors import ConfigError
from tuku.milvus import alias, collection, index, shelf
from tuku.milvus.connect import connected
from tuku.milvus.import_grpc import GrpcImporter

pytestmark = [pytest.mark.milvus, pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusServer]:
    with MilvusServer(tmp_path_factory.mktemp("milvus") / "server") as running:
        yield running


def config_for(server: MilvusServer, name: str, **load: object) -> Config:
    milvus = {"vectors": ["image"], "collection": name, "timeout_s": 60}
    return configured(server.uri, milvus=milvus, load={"strategy": "rebuild", **load})


def interrupted(phase: str, done: int, total: int) -> None:
    if phase == "import":
        raise KeyboardInterrupt


def test_there_and_back_again(server: MilvusServer, tmp_path: Path) -> None:
    config, lake = config_for(server, "shelf"), MemoryLake(images([f"i{n}" for n in range(60)], "n1"))
    for run_id in ("r1", "r2", "r3"):
        assert failed(memory_lake.run(config, lake, tmp_path, run_id)) == []
    with connected(config.milvus) as client:
        assert [(each.name, each.rows, each.counted, each.loaded) for each in shelf.shelved(client, config)] == [
            ("shelf__r3", 60, True, "Loaded"),
            ("shelf__r2", 60, True, "Loaded"),
            ("shelf__r1", 60, False, "NotLoad"),
        ]
        assert shelf.roll_back(client, config, MODEL, DIM) == ("shelf__r3", "shelf__r2")
        assert shelf.roll_back(client, config, MODEL, DIM) == ("shelf__r2", "shelf__r1")
        assert index.load_state(client, "shelf__r1") == "Loaded"
        assert collection.count(client, "shelf") == 60
    lake.add(images(["new"], "n2"))
    report = memory_lake.run(config_for(server, "shelf", strategy="auto"), lake, tmp_path, "r4")
    assert (report.collection, report.inserted, failed(report)) == ("shelf__r1", 1, [])


def test_what_failed_its_last_proof_is_not_gone_back_to(
    server: MilvusServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, lake = config_for(server, "failing"), MemoryLake(images([f"i{n}" for n in range(60)], "n1"))
    in_place = config_for(server, "failing", strategy="upsert")
    memory_lake.run(config, lake, tmp_path, "r1")
    with connected(config.milvus) as client:
        first = shelf.shelved(client, config)[0].proven_at
    lake.add(images(["new"], "n2"))
    assert failed(memory_lake.run(in_place, lake, tmp_path, "r2")) == []
    with connected(config.milvus) as client:
        assert shelf.shelved(client, config)[0].proven_at == first is not None
    with monkeypatch.context() as patched:
        patched.setattr("tuku.milvus.verify.collection.count", lambda client, name: 7)
        assert failed(memory_lake.run(in_place, lake, tmp_path, "r3")) == ["rows"]
    assert failed(memory_lake.run(config, lake, tmp_path, "r4")) == []
    with connected(config.milvus) as client, pytest.raises(ConfigError, match="no earlier collection"):
        shelf.roll_back(client, config, MODEL, DIM)


@pytest.mark.parametrize("database", ["default", "tagged"])
def test_what_another_alias_stands_for_stays_in_memory(server: MilvusServer, tmp_path: Path, database: str) -> None:
    config, lake = config_for(server, "tagged", keep=1), MemoryLake(images([f"i{n}" for n in range(60)], "n1"))
    if database != "default":
        with connected(config.milvus) as client:
            client.create_database(database)
        config = config.model_copy(update={"milvus": config.milvus.model_copy(update={"db": database})})
    memory_lake.run(config, lake, tmp_path, "r1")
    with connected(config.milvus) as client:
        client.create_alias("tagged__r1", "release_tag")
    for run_id in ("r2", "r3", "r4"):
        assert failed(memory_lake.run(config, lake, tmp_path, run_id)) == []
    with connected(config.milvus) as client:
        assert sorted(name for name in client.list_collections() if name.startswith("tagged")) == [
            "tagged__r1",
            "tagged__r3",
            "tagged__r4",
        ]
        assert index.load_state(client, "tagged__r1") == "Loaded"
        assert collection.count(client, "release_tag") == 60


def test_imports_that_the_server_has_forgotten_are_not_guessed_at(
    server: MilvusServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_for(server, "forgotten", staging_uri=str(tmp_path / "staged"))
    lake = MemoryLake(images([f"i{n}" for n in range(60)], "n1"))
    with pytest.raises(KeyboardInterrupt):
        memory_lake.run(config, lake, tmp_path, "r1", progress=interrupted)
    monkeypatch.setattr(GrpcImporter, "jobs", lambda self, name: [])
    report = memory_lake.run(config, lake, tmp_path, "r2")
    assert (report.collection, report.files, failed(report)) == ("forgotten__r2", 1, [])
    with connected(config.milvus) as client:
        assert [name for name in client.list_collections() if name.startswith("forgotten")] == ["forgotten__r2"]
        assert alias.resolve(client, "forgotten") == "forgotten__r2"
    assert list((tmp_path / "staged").rglob("*.parquet")) == []
    assert list((tmp_path / "loads").iterdir()) == []
