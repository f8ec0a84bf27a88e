"""A served catalogue whose model is a service: one throttle, or an outage, does not end it."""

from __future__ import annotations

import pytest

from fakes.dashscope import DashScopeServer, Fatal, Faults, Settings
from fakes.served import Clock
from tuku.config import Config, EmbedConfig, MilvusConfig, QuotaConfig, RetryConfig
from tuku.errors import StoppedError
from tuku.milvus import collection
from tuku.milvus.capabilities import ask
from tuku.milvus.connect import connected
from tuku.milvus.index import build_indexes
from tuku.providers.registry import describe_embedder
from tuku.runtime import access
from tuku.runtime.serving import AGAIN_S, LiveCatalogue
from tuku.search.query import Query
from tuku.web.problems import refusal_of

pytestmark = pytest.mark.milvus


@pytest.fixture
def server(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with DashScopeServer() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        running.configure(**Settings().model_dump(mode="json"))
        yield running


@pytest.fixture
def served(server, tmp_path):
    milvus = MilvusConfig(uri=str(tmp_path / "tuku.db"))
    model = describe_embedder(EmbedConfig(provider="dashscope"))
    with connected(milvus) as client:
        collection.create(client, milvus.collection, milvus, model.dim or 0, model.name)
        build_indexes(client, milvus.collection, milvus, 0, ask(client, Config(milvus=milvus)))
    config = Config(
        milvus=milvus,
        embed=EmbedConfig(provider="dashscope", quota=QuotaConfig(requests_per_min=60)),
        retry=RetryConfig(attempts=2, first_wait_s=0.01, max_wait_s=0.01, request_timeout_s=0.5),
    )
    clock = Clock()
    catalogue = LiveCatalogue(config, clock=clock)
    yield catalogue, clock
    catalogue.close()


def test_a_turn_that_did_not_come_is_not_the_end(served, monkeypatch):
    monkeypatch.setattr(access, "_PATIENCE_S", 0.05)
    catalogue, clock = served

    def ask_often() -> None:
        for number in range(20):
            catalogue.search(Query(text=f"red {number}"))

    with pytest.raises(StoppedError) as caught:
        ask_often()
    assert refusal_of(caught.value).status == 503
    with pytest.raises(StoppedError):
        catalogue.search(Query(text="blue"))
    monkeypatch.setattr(access, "_PATIENCE_S", 20.0)
    clock.now_s += AGAIN_S
    assert catalogue.search(Query(text="green")).timings_ms


def test_a_key_that_is_refused_and_then_mended_works(served, server):
    catalogue, clock = served
    server.configure(fatal=Fatal(code="InvalidApiKey"))
    with pytest.raises(StoppedError, match="does not accept the key"):
        catalogue.search(Query(text="red"))
    server.configure(fatal=None)
    with pytest.raises(StoppedError, match="does not accept the key"):
        catalogue.search(Query(text="red"))
    clock.now_s += AGAIN_S
    assert catalogue.search(Query(text="red")).timings_ms


def test_one_request_that_failed_is_told_as_what_it_is(served, server):
    catalogue, _ = served
    server.configure(faults=Faults(internal_error=1.0))
    with pytest.raises(StoppedError) as caught:
        catalogue.search(Query(text="red"))
    assert refusal_of(caught.value).status == 503
    server.configure(faults=Faults())
    assert catalogue.search(Query(text="red")).timings_ms
