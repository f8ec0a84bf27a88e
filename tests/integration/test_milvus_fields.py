"""Index types, typed metadata and what is settled at creation, on a real Milvus server (2.3.5)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import SecretStr
from pymilvus import MilvusClient

from fakes import memory_lake
from fakes.memory_lake import DIM, MODEL, MemoryLake, configured, failed, images, with_metadata
from milvus_server import ROOT_TOKEN, MilvusServer
from tuku.config import Config
from tuku.errors import ConfigError, MilvusError
from tuku.milvus import alias, collection, job
from tuku.milvus.calls import wait_until
from tuku.milvus.connect import connected
from tuku.milvus.fields import Typed
from tuku.milvus.job import LoadReport
from tuku.milvus.search import everything, search
from tuku.milvus.target import check_target

pytestmark = [pytest.mark.milvus, pytest.mark.long, pytest.mark.timeout(300)]

ENOUGH = 1_200  # a server builds no index of a segment with fewer than 1,024 rows


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusServer]:
    with MilvusServer(tmp_path_factory.mktemp("milvus") / "server", authorization=True) as running:
        yield running


@pytest.fixture
def name(server: MilvusServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """Of a collection that is this test's own."""
    mine = f"t{abs(hash(request.node.name))}"
    yield mine
    with connected(config_of(server, mine).milvus) as client:
        if client.list_aliases(collection_name="")["aliases"].count(mine):
            client.drop_alias(mine)
        for each in client.list_collections():
            if each.startswith(mine):
                client.drop_collection(each)


def config_of(server: MilvusServer, name: str, token: str = ROOT_TOKEN, **sections: dict) -> Config:
    """One vector field: Milvus 2.3 has no more in a collection."""
    milvus = {"collection": name, "vectors": ["image"], "token": SecretStr(token), "timeout_s": 60}
    return configured(server.uri, milvus={**milvus, **sections.pop("milvus", {})}, **sections)


def run(config: Config, lake: MemoryLake, folder: Path, run_id: str = "r1") -> LoadReport:
    return memory_lake.run(config, lake, folder / "ledgers", run_id)


def plain(rows: int, run_id: str = "r1") -> pa.Table:
    return images([f"i{number}" for number in range(rows)], run_id)


def table(rows: int, run_id: str = "r1", year: int = 2000) -> pa.Table:
    metadata = [
        {
            "price": number / 2,
            "category": f"类{number % 3}",
            "year": year + number,
            "sale": number % 2 == 0,
            "hue": "red",
        }
        for number in range(rows)
    ]
    return with_metadata(plain(rows, run_id), metadata)


@pytest.mark.parametrize("metric", ["COSINE", "IP", "L2"])
@pytest.mark.parametrize(
    ("kind", "built"),
    [
        ("HNSW", {"M": "16", "efConstruction": "200"}),
        ("IVF_FLAT", {"nlist": "30"}),
        ("IVF_SQ8", {"nlist": "30"}),
        ("IVF_PQ", {"nlist": "30", "m": "8", "nbits": "8"}),
        ("FLAT", {}),
        ("AUTOINDEX", {}),
    ],
)
def test_every_index_type_and_metric_passes_the_proof(
    server: MilvusServer, name: str, tmp_path: Path, kind: str, metric: str, built: dict
) -> None:
    # Product quantisation of 16 numbers that are chance forgets much.
    limits = {"min_recall": 0.5 if kind == "IVF_PQ" else 0.9}
    config = config_of(server, name, milvus={"index": {"type": kind, "metric": metric}}, verify=limits)
    report = run(config, MemoryLake(plain(ENOUGH)), tmp_path)
    assert failed(report) == []
    assert ("nlist lowered from 1024 to 30" in report.reason) is ("nlist" in built)
    with connected(config.milvus) as client:
        about = client.describe_index(name, "image_embedding")
    assert (about["index_type"], about["metric_type"]) == (kind, metric)
    assert {key: about.get(key) for key in built} == built


@pytest.mark.parametrize(
    ("milvus", "says"),
    [
        ({"index": {"type": "DISKANN"}}, "DISKANN"),
        ({"index": {"type": "HNSW_SQ"}}, "HNSW_SQ"),
        ({"index": {"params": {"M": 1}}}, r"params\.M is 1"),
        ({"index": {"type": "IVF_PQ", "params": {"m": 3}}}, r"params\.m is 3"),
        ({"index": {"type": "AUTOINDEX", "params": {"M": 16}}}, r"params\.M is 16"),
        ({"index": {"search_params": {"ef": 0}}}, r"search_params\.ef is 0"),
        ({"vectors": ["image", "text"]}, r"milvus\.vectors has 2"),
        ({"replicas": 2}, r"milvus\.replicas is 2.*1 query node"),
    ],
)
def test_what_the_server_would_refuse_is_refused_before_any_work(
    server: MilvusServer, name: str, tmp_path: Path, milvus: dict, says: str
) -> None:
    config = config_of(server, name, milvus=milvus)
    with pytest.raises(ConfigError, match=says):
        check_target(config, embed_model=MODEL, dim=DIM)
    with pytest.raises(ConfigError, match=says):
        run(config, MemoryLake(plain(5)), tmp_path)
    with connected(config.milvus) as client:
        assert client.list_collections() == []


def test_typed_metadata_is_loaded_proven_filtered_by_and_found(server: MilvusServer, name: str, tmp_path: Path) -> None:
    lake = MemoryLake(table(100))
    typed = {"price": "double", "category": "varchar", "year": "int64", "sale": "bool"}
    sections = {"verify": {"sample": 100}, "load": {"rebuild_fraction": 1}}
    config = config_of(server, name, milvus={"indexed_metadata": typed}, **sections)
    assert failed(run(config, lake, tmp_path)) == []
    lake.add(table(50, "r2", year=3000))
    changed = run(config, lake, tmp_path, "r2")
    assert (changed.strategy, changed.inserted, failed(changed)) == ("upsert", 50, [])
    with connected(config.milvus) as client:
        found = collection.layout(client, name).typed
        assert found == {column: Typed(kind, nullable=False) for column, kind in typed.items()}
        kinds = {column: (client.describe_index(name, column) or {}).get("index_type") for column in typed}
        assert kinds == {"price": "STL_SORT", "category": "Trie", "year": "STL_SORT", "sale": None}
        where = 'category == "类1" and year > 3030 and price < 20 and sale == true'
        output = everything(config.milvus)
        query = [lake.view["i7"]["image_embedding"]]
        [hits] = search(
            client, name, "image_embedding", query, config.milvus.index, where=where, output=output, strong=True
        )
        assert {hit.id for hit in hits} == {"i34"}
        fields = hits[0].fields
        assert {column: fields[column] for column in (*typed, "hue")} == {
            "price": 17.0,
            "category": "类1",
            "year": 3034,
            "sale": True,
            "hue": "red",
        }


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"other": 1}, r"'i1' has no price, .*2\.5 and newer.*out of milvus\.indexed_metadata"),
        ({"price": "cheap"}, r"'i1' has price = \"cheap\", .*double.*milvus\.indexed_metadata\.price"),
    ],
)
def test_a_value_that_the_field_cannot_hold_names_its_image(
    server: MilvusServer, name: str, tmp_path: Path, row: dict, says: str
) -> None:
    config = config_of(server, name, milvus={"indexed_metadata": {"price": "double"}})
    lake = MemoryLake(with_metadata(images(["i0", "i1"], "r1"), [{"price": 1}, row]))
    with pytest.raises(ConfigError, match=says):
        run(config, lake, tmp_path)
    with connected(config.milvus) as client:
        assert not client.list_aliases(collection_name="")["aliases"]


def test_how_a_collection_is_made_arrives(server: MilvusServer, name: str, tmp_path: Path) -> None:
    config = config_of(server, name, milvus={"shards": 3, "consistency": "Session", "mmap": True})
    report = run(config, MemoryLake(plain(50)), tmp_path)
    assert failed(report) == []
    with connected(config.milvus) as client:
        about = client.describe_collection(report.collection)
        assert (about["num_shards"], about["consistency_level_name"]) == (3, "Session")
        assert about["properties"]["mmap.enabled"] == "true"


def test_the_proof_finds_rows_that_a_server_has_filed_under_the_wrong_partition(
    server: MilvusServer, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyed = {"indexed_metadata": {"category": "varchar"}, "partition_key": "category", "partitions": 7}
    config = config_of(server, name, milvus=keyed)
    lake = MemoryLake(with_metadata(plain(50), [{"category": f"c{n % 9}"} if n % 5 else {} for n in range(50)]))
    with pytest.raises(ConfigError, match=r"partition_key is set.*wrong partition"):
        run(config, lake, tmp_path)
    monkeypatch.setattr(job, "require_able", lambda *given: None)
    report = run(config, lake, tmp_path)
    assert failed(report) == ["sampled rows found by category"]
    with connected(config.milvus) as client:
        assert client.describe_collection(report.collection)["num_partitions"] == 7
        typed = collection.layout(client, report.collection).typed
    assert typed == {"category": Typed("varchar", nullable=False, partitioned=True)}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"shards": 2}, "milvus.shards is 2 and was 1"),
        ({"consistency": "Strong"}, "milvus.consistency is Strong and was Bounded"),
        ({"mmap": True}, "milvus.mmap is true and was null"),
        ({"indexed_metadata": {"price": "double"}}, "lacks price"),
    ],
)
def test_a_change_of_it_makes_a_fresh_collection(
    server: MilvusServer, name: str, tmp_path: Path, changed: dict, reason: str
) -> None:
    lake = MemoryLake(table(30))
    run(config_of(server, name), lake, tmp_path)
    report = run(config_of(server, name, milvus=changed), lake, tmp_path, "r2")
    assert (report.strategy, report.collection, failed(report)) == ("rebuild", f"{name}__r2", [])
    assert reason in report.reason
    with connected(config_of(server, name).milvus) as client:
        about = client.describe_collection(name)
        found = {
            "shards": about["num_shards"],
            "consistency": about["consistency_level_name"],
            "mmap": about["properties"].get("mmap.enabled") == "true",
            "indexed_metadata": {column: typed.kind for column, typed in collection.layout(client, name).typed.items()},
        }
    assert {key: found[key] for key in changed} == changed


def test_a_wrong_token_is_not_repeated(server: MilvusServer, name: str) -> None:
    with pytest.raises(MilvusError, match=r"Cannot connect to Milvus at http://127\.0\.0\.1.*MILVUS_TOKEN") as refused:
        check_target(config_of(server, name, token="root:not-the-password"), embed_model=MODEL, dim=DIM)
    assert "not-the-password" not in str(refused.value)


def test_a_user_with_a_password_works_in_a_database_of_its_own(server: MilvusServer, name: str, tmp_path: Path) -> None:
    with connected(config_of(server, name).milvus) as client:
        client.create_database("shop")
        client.create_user("loader", "secret-1")
        client.grant_role("loader", "admin")
    config = config_of(server, name, token="loader:secret-1", milvus={"db": "shop"})
    with connected(config.milvus) as client:
        wait_until(lambda: "" if allowed(client) else "the role", 30)  # it takes a moment until it holds
    lake = MemoryLake(plain(20))
    loads = [run(config, lake, tmp_path, run_id) for run_id in ("r1", "r2")]
    assert [failed(load) for load in loads] == [[], []]
    assert [load.strategy for load in loads] == ["rebuild", "upsert"]
    with connected(config_of(server, name).milvus) as client:
        assert client.list_collections() == []
    with connected(config.milvus) as client:
        assert client.list_collections() == [f"{name}__r1"]
        assert alias.resolve(client, name) == f"{name}__r1"
        client.drop_alias(name)
        client.drop_collection(f"{name}__r1")
    with pytest.raises(MilvusError, match="missing"):
        check_target(config_of(server, name, milvus={"db": "missing"}), embed_model=MODEL, dim=DIM)


def allowed(client: MilvusClient) -> bool:
    try:
        alias.resolve(client, "nobody")
    except MilvusError:
        return False
    return True


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority (ca.pem), and a server's and a client's certificate and key."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ("-newkey", "rsa:2048", "-nodes")
    openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=authority")
    (folder / "names").write_text("subjectAltName=DNS:milvus.test,IP:127.0.0.1\n")
    for owner in ("server", "client"):
        openssl("req", *new, "-keyout", f"{owner}.key", "-out", f"{owner}.csr", "-subj", f"/CN={owner}")
        signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names", "-days", "2")
        openssl("x509", "-req", "-in", f"{owner}.csr", "-out", f"{owner}.pem", *signing)
    return folder


@pytest.mark.parametrize("mutual", [False, True])
def test_a_connection_by_tls(certificates: Path, tmp_path: Path, mutual: bool) -> None:
    files = {each: str(certificates / each) for each in ("ca.pem", "server.pem", "server.key")}
    settings = {
        "common.security.tlsMode": 2 if mutual else 1,
        "tls.serverPemPath": files["server.pem"],
        "tls.serverKeyPath": files["server.key"],
        "tls.caPemPath": files["ca.pem"],
    }
    ours = {"cert_file": str(certificates / "client.pem"), "key_file": str(certificates / "client.key")}
    known = {"ca_file": files["ca.pem"]}
    with MilvusServer(tmp_path / "server", settings) as server:
        uri = server.uri.replace("http:", "https:")

        def config(tls: dict, uri: str = uri) -> Config:
            # Asked for REST, this server answers in HTTP/2: gRPC is all that it has behind TLS.
            return configured(uri, milvus={"vectors": ["image"], "tls": tls}, load={"bulk_import": "never"})

        assert failed(run(config({**known, **ours} if mutual else known), MemoryLake(plain(20)), tmp_path)) == []
        named = {**known, "server_name": "milvus.test", **(ours if mutual else {})}
        check_target(config(named), embed_model=MODEL, dim=DIM)
        refused = [config({}), config({**named, "server_name": "other.test"}), config(known, server.uri)]
        for each in [*refused, *([config(known)] if mutual else [])]:
            with pytest.raises(MilvusError, match="Cannot connect"):
                check_target(each, embed_model=MODEL, dim=DIM)
