"""Reading all keys of a collection page by page, on Milvus Lite and on a real server, whatever the keys are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes import memory_lake
from fakes.memory_lake import NASTY_IDS, MemoryLake, configured, failed, images
from milvus_server import MilvusServer
from tuku.errors import MilvusError
from tuku.milvus import index, keys
from tuku.milvus.connect import connected

pytestmark = [pytest.mark.milvus, pytest.mark.timeout(300)]

IDS = [
    *NASTY_IDS,
    "C:\\a\\b.jpg",
    "n\\new.jpg",
    "C:\\photos\\apple.jpg",
    "C:\\photos\\new.jpg",
    'z27" monitor.jpg',
    'x" or id != "',
    "\U0001f63a.jpg",
    "\ufffd.jpg",
    *(f"i{n}" for n in range(30)),
]


@pytest.fixture(params=["lite", pytest.param("server", marks=pytest.mark.long)])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "lite":
        yield str(tmp_path / "milvus.db")
    else:
        with MilvusServer(tmp_path / "server") as server:
            yield server.uri


def test_no_key_ends_the_reading_or_keeps_it_going_for_ever(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, lake = configured(uri, milvus={"vectors": ["image"]}), MemoryLake(images(IDS, "r1"))
    monkeypatch.setattr(keys, "BATCH", 1)
    assert failed(memory_lake.run(config, lake, tmp_path / "ledgers")) == []
    lake.add(images(["new", "i3", "n\\new.jpg"], "r2", seed=5))
    assert failed(memory_lake.run(config, lake, tmp_path / "ledgers", "r2")) == []
    with connected(config.milvus) as client:
        index.load(client, "tuku", 60)
        for batch in (1, 2, 7, 5_000):
            monkeypatch.setattr(keys, "BATCH", batch)
            assert sorted(key for page in keys.all_ids(client, "tuku") for key in page) == sorted([*IDS, "new"])


class Stuck:
    """A Milvus that gives the same page whatever is asked for."""

    def query(self, *_arguments: object, **_options: object) -> list[dict[str, str]]:
        return [{"id": "a"}, {"id": "b"}]


def test_a_milvus_that_does_not_go_on_ends_the_reading() -> None:
    with pytest.raises(MilvusError, match="the same keys again"):
        list(keys.all_ids(Stuck(), "tuku"))
