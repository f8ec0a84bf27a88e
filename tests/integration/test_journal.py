"""A process that pays is killed: the next one asks only for what was under way. The server's books are the witness.

Run as a program, this module is that process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fakes.dashscope import DashScopeServer, Latency, Settings
from fakes.tables import decoded_rows
from tuku.config import CaptionConfig, Config, EmbedConfig, QuotaConfig
from tuku.errors import TukuError
from tuku.journal import AnswerJournal, read_journals
from tuku.providers.registry import create_captioner, create_embedder, describe_captioner, describe_embedder
from tuku.run import Run
from tuku.runtime.access import local_access
from tuku.stages.caption import caption_batch
from tuku.stages.embed import embed_batch
from tuku.stages.paid import PaidAnswers
from tuku.storage import DiskStorage

ROWS = 45
CAPTIONER, EMBEDDER = "qwen3-vl-flash", "multimodal-embedding-v1"
CAPTIONS_AT_ONCE, EMBEDDINGS_AT_ONCE = 4, 1  # requests; one has a caption, or a picture's vector, or 20 texts'
TESTS = Path(__file__).parents[1]


def work(lake: Path, worker: str) -> pa.Table:
    """Caption and embed all rows, with what the run's journals have."""
    quota = QuotaConfig(requests_per_min=60_000)
    config = Config(
        caption=CaptionConfig(provider="dashscope", model=CAPTIONER, concurrency=CAPTIONS_AT_ONCE, quota=quota),
        embed=EmbedConfig(provider="dashscope", model=EMBEDDER, concurrency=EMBEDDINGS_AT_ONCE, quota=quota),
    )
    captioner = create_captioner(config.caption, local_access(describe_captioner(config.caption), config))
    embedder = create_embedder(config.embed, local_access(describe_embedder(config.embed), config))
    run = Run(DiskStorage(lake), "r-1")
    paid = PaidAnswers.of(read_journals(run))
    journal = AnswerJournal(run, worker, _fail, config.write.flush_interval_s)
    batch = decoded_rows(*((5 * number, 255 - 5 * number, 37 * number % 256) for number in range(ROWS)))
    batch = caption_batch(batch, captioner, "c", paid, journal.append)
    batch = embed_batch(batch, embedder, ("image", "text"), "e", paid, journal.append)
    journal.close()
    return batch


def _fail(error: TukuError) -> None:
    raise error


@pytest.mark.parametrize(
    ("killed_after", "under_way"),
    [
        pytest.param(ROWS // 2, {CAPTIONER: CAPTIONS_AT_ONCE, EMBEDDER: 0}, id="captions"),
        pytest.param(ROWS + ROWS // 2, {CAPTIONER: 0, EMBEDDER: 1}, id="pictures"),
        pytest.param(2 * ROWS + 2, {CAPTIONER: 0, EMBEDDER: 20}, id="texts"),
    ],
)
def test_at_most_what_was_under_way_is_paid_again(
    killed_after: int, under_way: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with DashScopeServer(Settings(answers="numbered", latency=Latency(median_s=0.05))) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        kill_after(server, killed_after, tmp_path)
        assert len(list(tmp_path.rglob("*.arrows"))) == 1
        server.configure(latency={"median_s": 0.0})
        batch = work(tmp_path, "second")
        models = server.counters()["models"]
    assert batch["code"].null_count == batch["caption"].length() - batch["caption"].null_count == ROWS
    assert len(set(batch["caption"].to_pylist())) == ROWS
    for model, items in under_way.items():
        assert models[model]["items"]["distinct"] == (ROWS if model == CAPTIONER else 2 * ROWS)
        assert repeated(models[model]) <= items


def kill_after(server: DashScopeServer, requests: int, lake: Path) -> None:
    """Start the process, and kill it once the server has had so many requests."""
    command = [sys.executable, __file__, str(lake)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(TESTS)})
    try:
        while server.counters()["arrived"] < requests:
            assert process.poll() is None, "it ended by itself"
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()


def repeated(model: Mapping[str, Any]) -> int:
    """How many items were let in more than once."""
    items = model["items"]
    return int(items["accepted"] - items["distinct"])


if __name__ == "__main__":
    work(Path(sys.argv[1]), "first")
