"""The implementation under test, made once for each suite. Services are a local DashScope, which answers sensibly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contract.implementations import CAPTIONERS, EMBEDDERS, RANKERS, UNTRAINED
from fakes import tiny_models, tiny_qwen
from fakes.dashscope import DashScopeServer, Settings
from tuku.config import Config
from tuku.protocols import Captioner, Embedder
from tuku.protocols_ranking import VisionRanker
from tuku.providers.registry import (
    create_captioner,
    create_embedder,
    create_reranker,
    describe_captioner,
    describe_embedder,
    describe_reranker,
)
from tuku.runtime.access import local_access


@pytest.fixture(scope="session")
def service() -> Iterator[DashScopeServer]:
    """What stands behind every provider that asks a service; started when the first does."""
    with DashScopeServer(Settings(answers="models")) as server, pytest.MonkeyPatch.context() as environment:
        for provider in ("DASHSCOPE", "OPENAI"):
            environment.setenv(f"{provider}_API_KEY", server.environment["DASHSCOPE_API_KEY"])
        yield server


@pytest.fixture(scope="module")
def captioner(request: pytest.FixtureRequest) -> Captioner:
    config = CAPTIONERS[request.param]
    if config.provider in UNTRAINED:
        folder = request.getfixturevalue("tmp_path_factory").mktemp("models") / str(config.model)
        config = config.model_copy(update={"model": str(tiny_qwen.qwen3_vl(folder, trained=True))})
    config = config.model_copy(update={"base_url": _address(config.provider, request)})
    made = create_captioner(config, local_access(describe_captioner(config), Config()))
    assert made is not None
    return made


@pytest.fixture(scope="module")
def embedder(request: pytest.FixtureRequest) -> Embedder:
    config = EMBEDDERS[request.param]
    if config.provider in UNTRAINED:
        folder = request.getfixturevalue("tmp_path_factory").mktemp("models") / str(config.model)
        made = tiny_models.exported if config.provider == "onnx_clip" else tiny_models.saved
        config = config.model_copy(update={"model": str(made(str(config.model), folder))})
    config = config.model_copy(update={"base_url": _address(config.provider, request)})
    return create_embedder(config, local_access(describe_embedder(config), Config()))


@pytest.fixture(scope="module")
def ranker(request: pytest.FixtureRequest) -> VisionRanker:
    config = RANKERS[request.param]
    config = config.model_copy(update={"base_url": _address(config.provider, request)})
    made = create_reranker(config, local_access(describe_reranker(config), Config(), "rerank"))
    assert isinstance(made, VisionRanker)
    return made


def _address(provider: str, request: pytest.FixtureRequest) -> str | None:
    if provider == "local" or provider in UNTRAINED:
        return None
    server: DashScopeServer = request.getfixturevalue("service")
    return server.compatible_url if provider == "openai" else server.base_url
