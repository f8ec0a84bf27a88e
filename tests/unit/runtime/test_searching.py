"""`tuku search` against a service that does not answer: whose fault it is, what to do, and which exit code."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from PIL import Image

from fakes.dashscope import DashScopeServer, Fatal, Faults, Settings
from tuku.config import Config, EmbedConfig, MilvusConfig, QuotaConfig, RetryConfig
from tuku.errors import ConfigError, StoppedError, StorageError, TukuError
from tuku.milvus import collection
from tuku.milvus.capabilities import ask
from tuku.milvus.connect import connected
from tuku.milvus.index import build_indexes
from tuku.providers.registry import describe_embedder
from tuku.runtime import access
from tuku.runtime.searching import search
from tuku.search.encode import RefusedQueryError
from tuku.search.query import Query

RED = Query(text="red")


@pytest.fixture(scope="module")
def running():
    with DashScopeServer() as server:
        yield server


@pytest.fixture
def server(running, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    running.configure(**Settings().model_dump(mode="json"))
    running.reset()
    return running


@pytest.fixture(scope="module")
def milvus(tmp_path_factory) -> MilvusConfig:
    """An empty collection for DashScope's vectors."""
    config = MilvusConfig(uri=str(tmp_path_factory.mktemp("milvus") / "tuku.db"))
    model = describe_embedder(EmbedConfig(provider="dashscope"))
    with connected(config) as client:
        collection.create(client, config.collection, config, model.dim or 0, model.name)
        build_indexes(client, config.collection, config, 0, ask(client, Config(milvus=config)))
    return config


def configured(milvus: MilvusConfig, **embed: object) -> Config:
    return Config(
        milvus=milvus,
        embed=EmbedConfig(provider="dashscope", **embed),
        retry=RetryConfig(attempts=2, first_wait_s=0.01, max_wait_s=0.01, request_timeout_s=0.5),
    )


def refused(config: Config, query: Query = RED) -> TukuError:
    with pytest.raises(TukuError) as caught:
        search(config, query)
    return caught.value


def test_a_service_that_works_is_searched_with(server, milvus):
    answer, written = search(configured(milvus), RED)
    assert (answer.results, written) == ((), {})


def test_the_grid_is_written_whole_or_not_at_all(server, milvus, tmp_path: Path):
    grid = tmp_path / "new" / "图.png"
    _, written = search(configured(milvus), RED, grid=grid)
    assert written == {"grid": grid}
    with Image.open(grid) as saved:
        assert saved.format == "PNG"
    assert [file.name for file in grid.parent.iterdir()] == ["图.png"]
    with pytest.raises(StorageError):
        search(configured(milvus), RED, grid=grid / "grid.png")


@pytest.mark.parametrize(
    ("fault", "said", "remedy"),
    [
        ("hang", "timeout: ", "retry.request_timeout_s"),
        ("reset_before", "connection_reset: ", "Check DASHSCOPE_HTTP_BASE_URL"),
        ("truncated_json", "bad_answer: ", "check DASHSCOPE_HTTP_BASE_URL"),
        ("internal_error", "server_error: ", "try again later"),
    ],
)
def test_a_service_that_fails_is_said_to_be_at_fault(server, milvus, fault: str, said: str, remedy: str):
    server.configure(faults=Faults(**{fault: 1.0}))
    error = refused(configured(milvus))
    assert isinstance(error, StoppedError)
    assert error.exit_code == 5
    assert error.message.startswith(f"dashscope/tongyi-embedding-vision-plus did not answer: {said}")
    assert "picture" not in error.message
    assert error.message.count(".") == error.message.rstrip(".").count(".") + 1
    assert remedy in error.remedy


def test_a_service_that_refuses_the_key_says_so(server, milvus):
    server.configure(fatal=Fatal(code="InvalidApiKey"))
    error = refused(configured(milvus))
    assert (error.exit_code, "does not accept the key" in error.message) == (5, True)


def test_a_query_that_the_service_refuses_is_wrong(server, milvus, tmp_path: Path):
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    server.configure(faults=Faults(bad_item=1.0))
    error = refused(configured(milvus), Query(image=str(tmp_path / "red.png")))
    assert isinstance(error, RefusedQueryError)
    assert (error.exit_code, error.part) == (2, "picture")
    assert error.message.startswith("The query's picture cannot be encoded: content_refused")


def test_a_quota_is_not_waited_for_longer_than_a_person_waits(server, milvus, monkeypatch):
    monkeypatch.setattr(access, "_PATIENCE_S", 0.2)
    server.configure(faults=Faults(internal_error=1.0))
    started_s = time.monotonic()
    error = refused(configured(milvus, quota=QuotaConfig(requests_per_min=1)))  # the second try has to wait a minute
    assert time.monotonic() - started_s < 10
    assert error.exit_code == 5
    assert "embed.quota.requests_per_min 1" in error.message


def test_a_quota_smaller_than_the_query_is_wrong_at_once(milvus):
    error = refused(configured(milvus, quota=QuotaConfig(tokens_per_min=1)))
    assert (error.exit_code, "embed.quota.tokens_per_min is 1" in error.message) == (2, True)


def test_a_collection_of_another_length_says_what_works(server, milvus):
    error = refused(configured(milvus, dim=512))
    assert isinstance(error, ConfigError)
    assert "length 1152, not 512" in error.message
    assert "tuku ingest --set load.strategy=rebuild" in error.remedy


def test_no_task_is_left_on_the_loop_of_a_quota_that_gave_up():
    async def give_up() -> int:
        quota = access.PatientQuota(access.Governor(1, None), "It", patience_s=0.05)
        await quota.acquire(access.Charge(1))
        with pytest.raises(StoppedError, match=r"It has let no request through for 0\.05 s"):
            await quota.acquire(access.Charge(1))
        assert quota.halted is not None
        return len(asyncio.all_tasks())

    assert asyncio.run(give_up()) == 1
