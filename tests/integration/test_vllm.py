"""The whole job with conf/qwen3_vl_vllm.yaml: a folder of pictures, its collection, and searches in it.

Both servers are the local one, which takes what vLLM takes and answers by tuku's bundled models, so that a search for a
cat has something to find.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dashscope_job import paid_again, profile
from fakes.dashscope import DashScopeServer, Settings
from support import Tuku

pytestmark = [pytest.mark.long, pytest.mark.ray, pytest.mark.milvus, pytest.mark.timeout(240)]

KEY = "sk-4f1d0c6be5c94dd0a7d1"
CAPTIONS, VECTORS = "Qwen/Qwen3-VL-8B-Instruct", "Qwen/Qwen3-VL-Embedding-2B"


@pytest.fixture(scope="module")
def server() -> Iterator[DashScopeServer]:
    with DashScopeServer(Settings(keys=(KEY,), answers="models")) as running:
        yield running


def test_from_a_folder_to_a_search(server: DashScopeServer, tuku: Tuku, catalogue: Path, tmp_path: Path) -> None:
    address = [f"{section}.base_url={server.compatible_url}" for section in ("caption", "embed")]
    options = [*profile("qwen3_vl_vllm"), "--set", address[0], "--set", address[1]]

    def run(*arguments: object) -> Any:
        ran = tuku(*arguments, *options, "--json", env={"OPENAI_API_KEY": KEY, "NO_PROXY": "127.0.0.1"})
        assert ran.code == 0, ran.out + ran.err
        return ran.json

    found = {check["name"]: check["detail"] for check in run("doctor")["checks"]}
    for stage, model in (("caption", CAPTIONS), ("embed", VECTORS)):
        assert found[f"{stage} model"] == f"openai/{model}@served, no quota is known"
        assert found[f"{stage} call"].startswith("it answered in ")

    photographs = catalogue.parent / "photographs"
    report = run("ingest", photographs)
    rows = report["rows"]["ok"]
    assert rows == report["rows"]["manifest"] >= 10
    assert report["verify"]["passed"]
    counted = server.counters()["models"]
    for stage, model in (("caption", CAPTIONS), ("embed", VECTORS)):
        assert report["api"][stage]["retries"] == 0
        assert report["api"][stage]["input_tokens"] > 0
        assert report["api"][stage]["cost"] == 0
        assert counted[model]["requests"] >= report["api"][stage]["requests"] > 0
    assert set(paid_again(server).values()) == {0}
    arrived = server.counters()["arrived"]
    assert run("ingest", photographs)["rows"]["unchanged"] == rows
    assert server.counters()["arrived"] == arrived

    cat = photographs / "猫.png"
    for query in (["a cat"], ["a cat", "--in", "text"], ["--image", cat], ["a cat", "--image", cat]):
        found = run("search", *query, "--limit", "3", "--grid", tmp_path / "grid.png")["results"]
        assert len(found) == 3
        assert "cat" in found[0]["caption"], query
        assert [row["score"] for row in found] == sorted((row["score"] for row in found), reverse=True)
    with Image.open(tmp_path / "grid.png") as drawn:
        assert min(drawn.size) > 200
