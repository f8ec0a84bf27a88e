"""Reference system A: its CSV and its profile fill its collection, and its own client finds what is in there.

The local DashScope answers by tuku's bundled models, so that a search for a cat has something to find. Milvus is Milvus
Lite behind a host and a port, as the client expects it; whether a server refuses a wrong `user:password` and how it
builds its indexes is not shown by that. (A Milvus of before 2.4 takes one vector field in a collection, not two.)
"""

from __future__ import annotations

import csv
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dashscope
import pytest
from pymilvus import Collection, connections, utility

from dashscope_job import FAST, paid_again, profile
from fakes.dashscope import DashScopeServer, Settings
from fakes.dashscope.client import uri
from support import Tuku
from tuku.config import CaptionConfig, EmbedConfig
from tuku.providers.dashscope.provider import CAPTIONER, EMBEDDER

pytestmark = [pytest.mark.long, pytest.mark.ray, pytest.mark.milvus, pytest.mark.timeout(240)]

NAME = "multimodal_search"
MODELS = {"caption": "qwen-vl-plus", "embed": "multimodal-embedding-v1"}
HNSW = "{type: HNSW, metric: L2, params: {M: 64, efConstruction: 100}, search_params: {ef: 10}}"


@pytest.fixture(scope="module")
def server() -> Iterator[DashScopeServer]:
    with DashScopeServer(Settings(answers="models")) as running:
        yield running


@pytest.fixture
def milvus_port(tmp_path: Path) -> Iterator[int]:
    """Where a Milvus listens that holds nothing yet."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    program = str(Path(sys.executable).with_name("milvus-lite"))
    command = [
        program,
        "server",
        "--data-dir",
        str(tmp_path / "milvus-data"),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with (tmp_path / "milvus.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_until_open(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def listed(catalogue: Path, tmp_path: Path) -> Path:
    """The article's CSV, with the demo's photographs."""
    with catalogue.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    listing = tmp_path / "reverse_image_search.csv"
    with listing.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "path", "label"])
        writer.writerows([i, catalogue.parent / row["uri"], row["category"]] for i, row in enumerate(rows))
    return listing


def test_system_a(server: DashScopeServer, tuku: Tuku, listed: Path, catalogue: Path, milvus_port: int) -> None:
    options = [*profile("dashscope"), *FAST, "--set", f"milvus.uri=http://127.0.0.1:{milvus_port}"]

    def run(*arguments: object) -> Any:
        ran = tuku(*arguments, *options, "--json", env=server.environment)
        assert ran.code == 0, ran.out + ran.err
        return ran.json

    first = run("ingest", listed)
    rows = first["rows"]["ok"]
    assert rows == first["rows"]["manifest"] >= 20
    assert first["load"]["inserted"] == rows
    assert (first["load"]["collection"], first["load"]["alias"]) == (NAME, None)
    assert first["verify"]["passed"]
    _bill_is_the_servers(first, server)
    assert set(paid_again(server).values()) == {0}
    before = server.counters()["arrived"]
    again = run("ingest", listed)
    assert again["rows"]["unchanged"] == rows
    assert again["api"] == {}
    assert server.counters()["arrived"] == before

    cat = catalogue.parent / "photographs" / "猫.png"
    for query in (["a cat"], ["a cat", "--in", "text"], ["--image", cat], ["--image", cat, "--in", "text"]):
        found = run("search", *query, "--limit", "3")["results"]
        assert len(found) == 3
        assert "cat" in found[0]["caption"], query
        assert [row["score"] for row in found] == sorted((row["score"] for row in found), reverse=True)

    assert "cat" in _articles_client(server, milvus_port, cat, {"nprobe": 10})
    run("load", "--strategy", "rebuild", "--set", f"milvus.index={HNSW}")  # the other index that the article names
    assert "cat" in _articles_client(server, milvus_port, cat, {"ef": 10})


def _bill_is_the_servers(report: dict[str, Any], server: DashScopeServer) -> None:
    """The report's requests, tokens and money are what the server counted, at the documented prices."""
    prices = {
        "caption": CAPTIONER.describe(CaptionConfig(model=MODELS["caption"])).terms,
        "embed": EMBEDDER.describe(EmbedConfig(model=MODELS["embed"])).terms,
    }
    assert set(report["api"]) == set(MODELS)
    for stage, model in MODELS.items():
        counted, billed, terms = server.counters()["models"][model], report["api"][stage], prices[stage]
        assert terms is not None
        assert billed["requests"] == counted["requests"] > 0
        assert {name: billed[name] for name in counted["usage"]} == counted["usage"]
        assert counted["usage"]["input_tokens"] > 0
        assert (billed["retries"], billed["throttled"], billed["currency"]) == (0, 0, "CNY")
        assert billed["cost"] == pytest.approx(terms.price.of(*counted["usage"].values()))


def _articles_client(server: DashScopeServer, port: int, picture: Path, params: dict[str, int]) -> str:
    """Search as a program does that was written for the article's collection; what is nearest in all four ways."""
    connections.connect(host="127.0.0.1", port=str(port), token="root:Milvus")
    try:
        assert NAME in utility.list_collections()
        collection = Collection(NAME)
        collection.load()
        descriptions = set()
        for query in ({"text": "a cat"}, {"image": uri(picture.read_bytes())}):
            vector = _embedded(server, query)
            for field in ("image_embedding", "text_embedding"):
                (hits,) = collection.search(
                    data=[vector],
                    anns_field=field,
                    param={"metric_type": "L2", "params": params},
                    limit=3,
                    output_fields=["origin", "image_description"],
                )
                assert len(hits) == 3
                assert [hit.distance for hit in hits] == sorted(hit.distance for hit in hits)
                assert Path(hits[0].entity.get("origin")).is_file()
                descriptions.add(hits[0].entity.get("image_description"))
        assert all("cat" in description for description in descriptions)
        return " ".join(descriptions)
    finally:
        connections.disconnect("default")


def _embedded(server: DashScopeServer, query: dict[str, str]) -> list[float]:
    answer = dashscope.MultiModalEmbedding.call(
        model=MODELS["embed"],
        input=[query],
        api_key=server.environment["DASHSCOPE_API_KEY"],
        base_address=server.base_url,
    )
    assert answer.status_code == 200, answer
    vector: list[float] = answer.output["embeddings"][0]["embedding"]
    return vector


def _wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, "the Milvus ended"
            assert time.monotonic() < deadline, "the Milvus did not open its port"
            time.sleep(0.1)
        else:
            return
