"""`tuku serve` as a process, over a collection in Milvus Lite, with the bundled models."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fakes.files import png
from fakes.models import COLOURS
from support import Tuku, environment
from tuku.config import Config, EmbedConfig, MilvusConfig
from tuku.imaging import decode
from tuku.milvus import collection
from tuku.milvus.capabilities import ask
from tuku.milvus.connect import connected
from tuku.milvus.index import build_indexes
from tuku.protocols import Picture
from tuku.providers.registry import create_embedder

pytestmark = pytest.mark.milvus


@pytest.fixture(scope="module")
def tuku(tmp_path_factory) -> Tuku:
    """A folder with a collection of five pictures."""
    folder = tmp_path_factory.mktemp("serve")
    milvus = MilvusConfig(uri=str(folder / "milvus.db"))
    embedder = create_embedder(EmbedConfig())
    model, rows = embedder.description, []
    for name, rgb in COLOURS.items():
        content = png(rgb, 300)
        (folder / f"{name}.png").write_bytes(content)
        pixels = decode(content, max_pixels=1_000_000, sizes=[model.picture_size]).pixels
        [seen], [said] = embedder.embed_pictures([Picture(pixels, name)]), embedder.embed_passages([f"a {name} wall"])
        row = dict.fromkeys(("run_id", "caption_model", "embed_model", "content_sha256"), "")
        row |= {"id": name, "origin": str(folder / f"{name}.png"), "image_description": f"a {name} wall"}
        rows.append({**row, "keywords": [name], "image_embedding": seen, "text_embedding": said})
    with connected(milvus) as client:
        collection.create(client, milvus.collection, milvus, model.dim or 0, model.name)
        client.insert(milvus.collection, rows)
        build_indexes(client, milvus.collection, milvus, len(rows), ask(client, Config(milvus=milvus)))
    return Tuku(folder)


class Serving:
    """A server that is up."""

    def __init__(self, tuku: Tuku, *options: str) -> None:
        self.process = subprocess.Popen(
            tuku.command("serve", "--port", "0", "--json", *options),
            cwd=tuku.folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        self.url = json.loads(line)["url"]

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return answer.read()

    def post(self, path: str, value: object) -> None:
        request = urllib.request.Request(
            self.url + path, json.dumps(value).encode(), {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=30).close()

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


def test_it_serves_and_ends_gently(tuku: Tuku):
    serving = Serving(tuku)
    try:
        found = json.loads(serving.get("api/v1/search?text=a+green+wall&in=text"))
        assert found["results"][0]["id"] == "green"
        assert str(tuku.folder) not in json.dumps(found)
        assert serving.get("api/v1/images/green/thumbnail")[:2] == b"\xff\xd8"
        assert json.loads(serving.get("api/v1/images/green/similar?limit=2"))["results"]
        assert b"<script" in serving.get("")
        with ThreadPoolExecutor(50) as people:
            texts = [f"api/v1/search?text=wall+{number}" for number in range(200)]
            assert all(json.loads(each)["results"] for each in people.map(serving.get, texts))
        serving.post("api/v1/feedback", {"query": found["query"], "results": ["green"], "id": "green", "rank": 1})
    finally:
        code, out, err = serving.stop()
    assert (code, out, err) == (0, "", "")
    assert len(list((tuku.lake / "feedback").glob("clicks-*.parquet"))) == 1


def test_ctrl_c_ends_it_too(tuku: Tuku):
    assert Serving(tuku).stop(signal.SIGINT) == (0, "", "")


def test_sigterm_lets_go_within_its_grace_though_a_browser_holds_a_connection(tuku: Tuku):
    serving = Serving(tuku)
    host, port = serving.url.rstrip("/").removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as held:
        held.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" in held.recv(1000)
        began_s = time.monotonic()
        assert serving.stop()[0] == 0
        assert time.monotonic() - began_s < 12


def test_a_taken_port_and_a_missing_collection_are_said(tuku: Tuku, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = tuku("serve", "--port", str(taken.getsockname()[1]))
    assert ran.code == 2
    assert "Cannot listen on 127.0.0.1:" in ran.err
    ran = tuku("serve", "--port", "0", "--set", f"milvus.uri={tmp_path / 'none.db'}")
    assert (ran.code, ran.out) == (2, "")
    assert "There is no Milvus file" in ran.err
    ran = tuku("serve", "--port", "0", "--host", "0.0.0.0")
    assert ran.code == 2
    assert "TUKU_SERVE_TOKEN" in ran.err
    ran = tuku("serve", "--set", "serve.hosst=1")
    assert ran.code == 2
