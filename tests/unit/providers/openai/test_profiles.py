"""The profiles in conf/ for models that one serves oneself."""

from __future__ import annotations

from pathlib import Path

from tuku.config_load import load_config
from tuku.protocols import PictureSize
from tuku.providers.registry import describe_captioner, describe_embedder

PROFILE = Path(__file__).parents[4] / "conf" / "qwen3_vl_vllm.yaml"


def test_one_server_writes_and_another_embeds() -> None:
    config = load_config(PROFILE, [], {})
    captioner, embedder = describe_captioner(config.caption), describe_embedder(config.embed)
    assert captioner is not None
    assert captioner.name == "openai/Qwen/Qwen3-VL-8B-Instruct@served"
    assert (embedder.name, embedder.dim) == ("openai/Qwen/Qwen3-VL-Embedding-2B@served", 2048)
    assert config.caption.base_url != config.embed.base_url
    assert captioner.picture_size == embedder.picture_size == PictureSize(long_side_px=768)  # coded once for both
    assert captioner.terms is not None
    assert embedder.terms is not None
    assert (captioner.terms.requests_per_min, embedder.terms.requests_per_min) == (None, None)
    assert config.milvus.vectors == ("image", "text")


def test_the_profile_says_what_must_be_in_the_environment() -> None:
    text = PROFILE.read_text(encoding="utf-8")
    assert all(variable in text for variable in ("OPENAI_API_KEY", "MILVUS_TOKEN", "NO_PROXY"))
