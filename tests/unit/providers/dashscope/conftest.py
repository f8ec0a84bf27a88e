"""A local DashScope, and models of it that may ask as they like."""

from __future__ import annotations

import pytest

from fakes.dashscope import DashScopeServer, Faults, Settings
from fakes.recording_quota import RecordingQuota
from tuku.config import CaptionConfig, EmbedConfig, RerankConfig, RetryConfig
from tuku.providers.factory import Access
from tuku.providers.registry import create_captioner, create_embedder, create_reranker

KEY = "sk-4f1d0c6be5c94dd0a7d1"


@pytest.fixture(scope="session")
def shared_server():
    with DashScopeServer(Settings(keys=(KEY,))) as server:
        yield server


@pytest.fixture
def server(shared_server):
    shared_server.configure(faults=Faults(), limits={"requests_per_min": None}, fatal=None, usage_shape="split")
    shared_server.configure(ranking="plain", ranking_order=[], json_mode=True)
    shared_server.reset()
    return shared_server


@pytest.fixture
def quota():
    return RecordingQuota()


@pytest.fixture
def retry():
    return {"first_wait_s": 0.01, "request_timeout_s": 1.0}


@pytest.fixture
def retry_with(retry):
    """Changes how long requests of the models made from now on are tried."""
    return retry.update


@pytest.fixture
def access_of(quota, retry):
    return lambda: Access(quota, RetryConfig(**retry))


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)


@pytest.fixture
def captioner_of(server, access_of):
    def make(**config):
        config = CaptionConfig(provider="dashscope", base_url=server.base_url, **config)
        return create_captioner(config, access_of())

    return make


@pytest.fixture
def embedder_of(server, access_of):
    def make(**config):
        config = EmbedConfig(provider="dashscope", base_url=server.base_url, **config)
        return create_embedder(config, access_of())

    return make


@pytest.fixture
def reranker(server, access_of):
    config = RerankConfig(provider="dashscope", model="qwen3-vl-rerank", base_url=server.base_url)
    return create_reranker(config, access_of())
