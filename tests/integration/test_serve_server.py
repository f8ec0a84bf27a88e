"""A served catalogue on a real Milvus server, which moves its alias and is killed and started again meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from fakes.served import Clock, Opening, fill
from milvus_server import MilvusServer
from tuku.config import Config, MilvusConfig
from tuku.errors import TukuError
from tuku.milvus.connect import connected
from tuku.runtime.serving import AGAIN_S, CHECK_S, LiveCatalogue, OutOfServiceError
from tuku.search.query import Query

pytestmark = [pytest.mark.milvus, pytest.mark.long, pytest.mark.timeout(300)]
RED = Query(text="red", limit=1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusServer]:
    with MilvusServer(tmp_path_factory.mktemp("milvus") / "server") as running:
        yield running


def config_for(server: MilvusServer, name: str) -> Config:
    return Config(milvus=MilvusConfig(uri=server.uri, collection=name, vectors=("image",), timeout_s=60))


def ids(catalogue: LiveCatalogue) -> list[str]:
    return [result.id for result in catalogue.search(RED).results]


def test_the_alias_moves_under_the_searches(server: MilvusServer) -> None:
    config, opening, clock = config_for(server, "moving"), Opening(), Clock()
    fill(config.milvus, name="moving__1")
    fill(config.milvus, name="moving__2", suffix="-new")
    fill(config.milvus, "other/model@1", name="moving__3")
    with connected(config.milvus) as client, closing(LiveCatalogue(config, opening, clock)) as catalogue:
        client.create_alias("moving__1", "moving")
        assert ids(catalogue) == ["red"]
        client.alter_alias("moving__2", "moving")
        assert ids(catalogue) == ["red-new"]
        assert catalogue.find("red") is None
        assert [each.id for each in catalogue.similar("red-new", RED).results] == ["yellow-new"]
        clock.now_s += CHECK_S
        assert ids(catalogue) == ["red-new"]
        assert opening.opened == 1
        client.alter_alias("moving__3", "moving")
        clock.now_s += CHECK_S
        with pytest.raises(OutOfServiceError, match="holds vectors of other/model@1"):
            catalogue.search(RED)
        client.alter_alias("moving__1", "moving")
        clock.now_s += AGAIN_S
        assert ids(catalogue) == ["red"]


def test_milvus_is_killed_and_started_again(server: MilvusServer) -> None:
    config = config_for(server, "killed")
    config = config.model_copy(update={"serve": config.serve.model_copy(update={"timeout_s": 10.0})})
    fill(config.milvus)
    with closing(LiveCatalogue(config, Opening())) as catalogue:
        assert ids(catalogue) == ["red"]
        server.kill()
        began_s = time.monotonic()
        with pytest.raises(TukuError):
            catalogue.search(RED)
        assert time.monotonic() - began_s < 75
        server.start()
        until_s = time.monotonic() + 90
        while True:
            try:
                found = ids(catalogue)
                break
            except TukuError:
                assert time.monotonic() < until_s
                time.sleep(1)
        assert found == ["red"]
