"""Lake → staging → bulk import → proof → alias on a real Milvus server, and readers meanwhile."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pymilvus import Collection, DataType, connections, utility

from load_world import EMBED, LoadWorld, add_run, vectors
from milvus_server import ROOT_TOKEN, MilvusServer
from s3_server import BUCKET, S3Server, s3_server
from tuku.milvus.connect import connected

pytestmark = [pytest.mark.milvus, pytest.mark.long, pytest.mark.timeout(900)]

ROWS = 100_000
FEW = 4_000


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3") / "data") as server, server.used():
        yield server


@pytest.fixture(scope="module")
def server(bucket: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusServer]:
    """A server with authorization that keeps its data in the bucket."""
    where = urlsplit(bucket.endpoint)
    storage = {
        "common.storageType": "minio",
        "minio.address": where.hostname,
        "minio.port": where.port,
        "minio.accessKeyID": bucket.environment["AWS_ACCESS_KEY_ID"],
        "minio.secretAccessKey": bucket.environment["AWS_SECRET_ACCESS_KEY"],
        "minio.bucketName": BUCKET,
        "minio.rootPath": "milvus",
    }
    with MilvusServer(tmp_path_factory.mktemp("milvus") / "server", storage, authorization=True) as running:
        yield running


def world(server: MilvusServer, bucket: S3Server, folder: Path, *settings: str) -> LoadWorld:
    return LoadWorld(
        folder,
        server,
        lake_uri=bucket.uri(f"{folder.name}/lake"),
        settings=[f"load.staging_uri={bucket.uri(f'{folder.name}/staging')}", "load.file_mb=16", *settings],
        variables=bucket.environment,
    )


@dataclass
class Reader:
    """Somebody who searches through the alias all the time, from before the load until after it.

    Attributes:
        answers: how many came from which run.
        wrong: answers that were empty, short or mixed, and errors.
    """

    world: LoadWorld
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        over = threading.Event()
        thread = threading.Thread(target=self._read, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _read(self, over: threading.Event) -> None:
        queries = list(vectors(50, 99, int(EMBED["dim"])))
        with connected(self.world.config.milvus, create=False) as client:
            turn = 0
            while not over.is_set():
                turn += 1
                query = queries[turn % len(queries)]
                try:
                    [hits] = client.search(
                        "tuku", [query], anns_field="image_embedding", limit=10, output_fields=["run_id"], timeout=30
                    )
                except Exception as error:  # noqa: BLE001  whatever a reader would see
                    self.wrong.append(repr(error))
                    continue
                runs = {hit["entity"]["run_id"] for hit in hits}
                if len(hits) != 10 or len(runs) != 1:
                    self.wrong.append(f"{len(hits)} hits of {runs}")
                self.answers.update(runs)
                time.sleep(0.01)


def test_a_hundred_thousand_rows_come_right_twice_and_can_be_rolled_back(
    server: MilvusServer, bucket: S3Server, tmp_path: Path
) -> None:
    many = world(server, bucket, tmp_path)
    add_run(many.lake, 0, ROWS)
    loaded = many("load", "--json")
    assert loaded.code == 0, loaded.err
    load = loaded.json["load"]
    assert (load["strategy"], load["inserted"], load["alias"]) == ("rebuild", ROWS, "tuku")
    assert load["files"] > 3
    assert many.differences() == []
    again = many("load", "--strategy", "rebuild", "--json")
    assert again.code == 0, again.err
    second = again.json["load"]["collection"]
    assert many.collections() == sorted([load["collection"], second])
    rolled_back = many("rollback", "--json")
    assert rolled_back.code == 0, rolled_back.err
    assert rolled_back.json == {"alias": "tuku", "former": second, "collection": load["collection"]}
    assert many.differences() == []
    assert many.lake.storage.files("loads", ".json") == []
    shelf = many("collections", "--json").json["collections"]
    assert [(each["name"], each["rows"], each["live"]) for each in shelf] == [
        (second, ROWS, False),
        (load["collection"], ROWS, True),
    ]
    _drop_all(many)


def test_a_reader_sees_the_old_or_the_new_collection_and_nothing_else(
    server: MilvusServer, bucket: S3Server, tmp_path: Path
) -> None:
    few = world(server, bucket, tmp_path, "load.file_mb=2")
    old = add_run(few.lake, 0, FEW).run_id
    assert few("load").code == 0
    reader = Reader(few)
    with reader.at_work():
        new = add_run(few.lake, 0, FEW).run_id
        loaded = few("load", "--json")
        assert loaded.code == 0, loaded.err
        assert loaded.json["load"]["reason"].startswith(f"{FEW:,} of {FEW:,} rows have changed")
        time.sleep(1)
        swapped = dict(reader.answers)
        assert few("rollback").code == 0
        time.sleep(1)
    assert reader.wrong == []
    assert swapped[new] > 20
    assert reader.answers[old] > swapped[old] + 20
    _drop_all(few)


def _drop_all(world: LoadWorld) -> None:
    with connected(world.config.milvus, create=False) as client:
        client.drop_alias("tuku")
        for name in client.list_collections():
            client.drop_collection(name)


SYSTEM_B = [
    "load.alias=false",
    "milvus.collection=multimodal_chinese_clip",
    "milvus.shards=2",
    "milvus.index={type: IVF_FLAT, metric: COSINE, params: {nlist: 512}}",
]


def test_system_b_finds_its_collection_loaded_and_whole(server: MilvusServer, bucket: S3Server, tmp_path: Path) -> None:
    """Reference system B's own check, in the words of its article: load state Loaded, count(*) is 5000."""
    of_b = world(server, bucket, tmp_path, *SYSTEM_B)
    add_run(of_b.lake, 0, 5_000)
    for how in ("auto", "rebuild"):  # it drops the collection and fills it anew
        loaded = of_b("load", "--strategy", how, "--json")
        assert loaded.code == 0, loaded.err
    assert loaded.json["load"]["readers_cut_off_s"] > 0
    user, _, password = ROOT_TOKEN.partition(":")
    host, port = urlsplit(server.uri).hostname, urlsplit(server.uri).port
    connections.connect("system-b", host=host, port=port, user=user, password=password)
    try:
        found = Collection("multimodal_chinese_clip", using="system-b")
        assert utility.load_state(found.name, using="system-b").name == "Loaded"
        assert found.query(expr="", output_fields=["count(*)"])[0]["count(*)"] == 5_000
        assert found.num_shards == 2
        assert found.schema.enable_dynamic_field
        assert [each.name for each in found.schema.fields if each.dtype == DataType.FLOAT_VECTOR] == ["image_embedding"]
        built = found.index(index_name="image_embedding").params
        assert (built["index_type"], built["metric_type"]) == ("IVF_FLAT", "COSINE")
        assert int(built["nlist"]) == 512
        found.drop()
    finally:
        connections.disconnect("system-b")
