"""Typed metadata, partition keys and parameters of an index, on a real Milvus Lite."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from fakes import memory_lake
from fakes.memory_lake import DIM, MODEL, MemoryLake, configured, failed, images, with_metadata
from tuku.config import Config
from tuku.errors import ConfigError
from tuku.milvus import collection, index
from tuku.milvus.connect import connected
from tuku.milvus.fields import Typed
from tuku.milvus.job import LoadReport
from tuku.milvus.search import everything, search
from tuku.milvus.verify import verify

pytestmark = pytest.mark.milvus

TYPED = {"price": "double", "category": "varchar", "year": "int64", "sale": "bool"}


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "milvus.db")


def run(config: Config, lake: MemoryLake, run_id: str = "r1") -> LoadReport:
    return memory_lake.run(config, lake, Path(config.milvus.uri).parent / "ledgers", run_id)


def table(rows: int, run_id: str = "r1", year: int = 2000) -> pa.Table:
    """Every column is missing in some row, and all of them in every fifth."""
    metadata = [
        {
            "price": number / 2 if number % 2 else None,
            "category": f"类{number % 3}",
            "year": year + number,
            "sale": number % 2 == 0,
            "colour": "red",
        }
        if number % 5
        else {"colour": "blue"}
        for number in range(rows)
    ]
    return with_metadata(images([f"i{number}" for number in range(rows)], run_id), metadata)


def catalogue(rows: int) -> MemoryLake:
    return MemoryLake(table(rows))


def test_typed_metadata_is_loaded_proven_filtered_by_and_found(uri: str) -> None:
    lake = catalogue(100)
    config = configured(uri, milvus={"indexed_metadata": TYPED}, verify={"sample": 100}, load={"rebuild_fraction": 1})
    assert failed(run(config, lake)) == []
    lake.add(table(100, "r2", year=3000))
    changed = run(config, lake, "r2")
    assert (changed.strategy, changed.inserted, failed(changed)) == ("upsert", 100, [])
    with connected(config.milvus) as client:
        typed = collection.layout(client, "tuku").typed
        assert typed == {name: Typed(kind, nullable=True) for name, kind in TYPED.items()}
        assert {name: client.describe_index("tuku", name)["index_type"] for name in TYPED} == dict.fromkeys(
            TYPED, "INVERTED"
        )
        index.load(client, "tuku", 10)
        query = [lake.view["i7"]["image_embedding"]]

        def found(where: str) -> dict[str, dict]:
            output = everything(config.milvus)
            [hits] = search(
                client, "tuku", "image_embedding", query, config.milvus.index, limit=100, where=where, output=output
            )
            return {hit.id: hit.fields for hit in hits}

        assert set(found("price < 4")) == {"i1", "i3", "i7"}
        assert set(found('category == "类1" and year > 3085')) == {f"i{n}" for n in (88, 91, 94, 97)}
        assert set(found("sale == true and year < 3005")) == {"i2", "i4"}
        fields = found("year == 3007")["i7"]
        assert {name: fields[name] for name in TYPED} == {"price": 3.5, "category": "类1", "year": 3007, "sale": False}
        nothing = found('colour == "blue"')["i5"]
        assert {nothing[name] for name in TYPED} == {None}


def test_the_proof_tells_of_a_field_that_lost_its_index(uri: str) -> None:
    config = configured(uri, milvus={"indexed_metadata": TYPED}, load={"alias": False})
    lake = catalogue(20)
    assert "indexes of metadata" in {check.name for check in run(config, lake).checks}
    with connected(config.milvus) as client:
        client.release_collection("tuku")
        client.drop_index("tuku", "year")
        checks = verify(client, "tuku", lake, config.milvus, config.verify, embed_model=MODEL, dim=DIM)
    said = {check.name: check.actual for check in checks if not check.passed}
    assert "year" in said["indexes of metadata"]  # Lite drops the others with it


def test_a_value_of_another_type_stops_the_load_and_readers_see_what_they_saw(uri: str) -> None:
    run(configured(uri), catalogue(20))
    typed = configured(uri, milvus={"indexed_metadata": {"category": "int64"}})
    with pytest.raises(ConfigError, match=r"'i1' has category = \"类1\".*int64.*milvus\.indexed_metadata\.category"):
        run(typed, catalogue(20), "r2")
    assert failed(run(configured(uri), catalogue(20), "r3")) == []


def test_a_partition_key_is_kept_and_its_change_rebuilds(uri: str) -> None:
    lake = catalogue(100)
    keyed = configured(uri, milvus={"indexed_metadata": {"category": "varchar"}, "partition_key": "category"})
    report = run(keyed, lake)
    assert failed(report) == []
    assert "sampled rows found by category" in [check.name for check in report.checks]
    with connected(keyed.milvus) as client:
        assert collection.layout(client, "tuku").typed == {"category": Typed("varchar", False, True)}
        client.load_collection("tuku")
        assert len(client.query("tuku", filter='category == ""', output_fields=["id"])) == 20
    # An upsert that moves rows to another partition leaves no double behind.
    moved = with_metadata(images(["i1", "i2"], "r2"), [{"category": "new"}, {"category": "new"}])
    lake.add(moved)
    report = run(keyed, lake, "r2")
    assert (report.strategy, failed(report)) == ("upsert", [])
    report = run(configured(uri, milvus={"indexed_metadata": {"category": "varchar"}}), lake, "r3")
    assert (report.strategy, failed(report)) == ("rebuild", [])
    assert "is partitioned by category, not None" in report.reason


@pytest.mark.parametrize(
    ("kind", "params", "built"),
    [
        ("HNSW", {"M": 8}, {"M": 8, "efConstruction": 200}),
        ("HNSW_SQ", {}, {"M": 16, "efConstruction": 200, "sq_type": "SQ8"}),
        ("IVF_FLAT", {"nlist": 6}, {"nlist": 6}),
        ("IVF_SQ8", {}, {"nlist": 5}),
    ],
)
def test_the_parameters_arrive(uri: str, kind: str, params: dict, built: dict) -> None:
    config = configured(uri, milvus={"index": {"type": kind, "params": params}})
    report = run(config, catalogue(200))
    assert failed(report) == []
    assert ("nlist lowered from 1024 to 5" in report.reason) is (built.get("nlist") == 5)
    with connected(config.milvus) as client:
        assert client.describe_index("tuku", "text_embedding")["params"] == built


def test_what_only_a_fresh_collection_can_have_is_changed_by_one(uri: str) -> None:
    lake, said = catalogue(50), "milvus.consistency is Strong and was Bounded"
    run(configured(uri), lake)
    strong = {"consistency": "Strong"}
    report = run(configured(uri, milvus=strong, load={"strategy": "upsert"}), lake, "r2")
    assert (report.strategy, report.reason) == (
        "upsert",
        f"load.strategy is upsert; {said}: only a rebuild changes that",
    )
    report = run(configured(uri, milvus=strong), lake, "r3")
    assert (report.strategy, report.reason, report.collection) == ("rebuild", said, "tuku__r3")
    assert run(configured(uri, milvus=strong), lake, "r4").strategy == "upsert"


def test_in_place_readers_are_not_cut_off_for_it(uri: str) -> None:
    in_place = {"load": {"alias": False}}
    run(configured(uri, **in_place), catalogue(50))
    report = run(configured(uri, milvus={"consistency": "Strong"}, **in_place), catalogue(50), "r2")
    assert report.strategy == "upsert"
    assert "milvus.consistency is Strong and was Bounded: only a rebuild changes that" in report.reason


def test_the_lake_is_read_without_its_vectors_when_types_are_looked_at(uri: str) -> None:
    lake, asked = catalogue(10), list[list[str]]()
    batches = lake.batches
    lake.batches = lambda columns: (asked.append(list(columns)), batches(columns))[1]
    assert failed(run(configured(uri, milvus={"indexed_metadata": TYPED}), lake)) == []
    assert "metadata" in asked[0]
    assert not any(name.endswith("embedding") for name in asked[0])
