"""Every implementation that the contract suites run on. A new one is one line here."""

from __future__ import annotations

import pytest

from fakes import tiny_models
from tuku.config import CaptionConfig, EmbedConfig, QuotaConfig, RerankConfig

_NO_HINDRANCE = QuotaConfig(requests_per_min=60_000)

CAPTIONERS = {
    "local": CaptionConfig(provider="local"),
    "dashscope": CaptionConfig(provider="dashscope", quota=_NO_HINDRANCE),
    "openai": CaptionConfig(provider="openai", model="qwen3-vl-flash", quota=_NO_HINDRANCE),
    "qwen_vl": CaptionConfig(provider="qwen_vl", model="qwen3_vl", device="cpu"),
}
EMBEDDERS = {
    "local lite0-minilm": EmbedConfig(provider="local"),
    "local lite0-minilm-features": EmbedConfig(provider="local", model="lite0-minilm-features"),
    "dashscope tongyi-embedding-vision-plus": EmbedConfig(
        provider="dashscope", model="tongyi-embedding-vision-plus", quota=_NO_HINDRANCE
    ),
    "dashscope multimodal-embedding-v1": EmbedConfig(
        provider="dashscope", model="multimodal-embedding-v1", quota=_NO_HINDRANCE
    ),
    "openai Qwen3-VL-Embedding-2B": EmbedConfig(provider="openai", model="Qwen/Qwen3-VL-Embedding-2B", dim=2048),
    "openai CLIP": EmbedConfig(
        provider="openai", model="openai/clip-vit-base-patch32", dim=512, parameters={"instruction": ""}
    ),
    **{f"hf {name}": EmbedConfig(provider="hf", model=name, device="cpu") for name in tiny_models.MODELS},
    "onnx_clip chinese_clip": EmbedConfig(provider="onnx_clip", model="chinese_clip"),
    "qwen_vl": EmbedConfig(provider="qwen_vl", model="qwen3_vl", device="cpu"),
}
RANKERS = {
    "dashscope": RerankConfig(provider="dashscope", quota=_NO_HINDRANCE),
    "openai": RerankConfig(provider="openai", model="qwen3-vl-flash", quota=_NO_HINDRANCE),
}

each_captioner = pytest.mark.parametrize(
    "captioner", [pytest.param(name, id=name) for name in CAPTIONERS], indirect=True, scope="module"
)
UNTRAINED = {"hf", "onnx_clip", "qwen_vl"}
"""Providers whose models here have weights by chance: all is as it should be but what the vectors mean."""

each_embedder = pytest.mark.parametrize(
    "embedder", [pytest.param(name, id=name) for name in EMBEDDERS], indirect=True, scope="module"
)
each_ranker = pytest.mark.parametrize(
    "ranker", [pytest.param(name, id=name) for name in RANKERS], indirect=True, scope="module"
)
