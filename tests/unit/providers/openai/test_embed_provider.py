"""The embedder as it is configured: nothing is asked here."""

from __future__ import annotations

from typing import Any

import pytest

from tuku.config import CaptionConfig, EmbedConfig, QuotaConfig
from tuku.errors import ConfigError
from tuku.protocols import PictureSize
from tuku.providers.registry import create_embedder, describe_embedder, require_environment
from tuku.stages.fingerprints import embedding_fingerprint

MODEL = "Qwen/Qwen3-VL-Embedding-2B"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)


def config(**values: Any) -> EmbedConfig:
    return EmbedConfig(**{"provider": "openai", "model": MODEL, "dim": 2048, **values})


def fingerprint(**values: Any) -> str:
    return embedding_fingerprint(describe_embedder(config(**values)), ["image", "text"])


def test_any_model_is_described() -> None:
    description = describe_embedder(config(max_side_px=448, concurrency=9, quota=QuotaConfig(requests_per_min=70)))
    assert (description.name, description.dim) == (f"openai/{MODEL}@served", 2048)
    assert description.picture_size == PictureSize(long_side_px=448)
    assert description.lane == "api"
    assert dict(description.settings)["instruction"] == "Represent the user's input."
    assert description.terms is not None
    terms = description.terms
    assert (terms.concurrency, terms.requests_per_min, terms.tokens_per_min) == (9, 70, None)
    assert (terms.pictures_per_request, terms.texts_per_request, terms.items_per_request) == (1, 1, 1)
    assert terms.price.of(1000) == 0.0
    assert terms.prompt_tokens > 60


def test_a_model_and_its_length_must_be_named() -> None:
    with pytest.raises(ConfigError, match=r"embed\.model is not set.*Qwen3-VL-Embedding-2B"):
        describe_embedder(config(model=None))
    with pytest.raises(ConfigError, match=r"embed\.dim is not set.*2048"):
        describe_embedder(config(dim=None))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"encoding_format": "base64"}, r"embed\.parameters\.encoding_format .*Allowed are: dimensions, instruction"),
        ({"messages": "x"}, r"embed\.parameters\.messages "),
        ({"api_key": "x"}, r"embed\.parameters\.api_key "),
        ({"dim": 8}, r"Set embed\.dim instead"),
        ({"dimensions": 1024}, r"embed\.parameters\.dimensions is 1024\. Set it to true"),
        ({"instruction": 7}, r"embed\.parameters\.instruction is 7\. Set it to a sentence"),
        ({"query_instruction": " "}, r'embed\.parameters\.query_instruction is " "'),
        ({"instruction": "", "query_instruction": "Find it."}, r"query_instruction is set.*instruction is empty"),
    ],
)
def test_a_parameter_that_is_none(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        describe_embedder(config(parameters=parameters))


def test_what_stored_vectors_depend_on_redoes_them() -> None:
    usual = fingerprint()
    others = [
        fingerprint(dim=1024),
        fingerprint(max_side_px=448),
        fingerprint(parameters={"instruction": "Represent the product."}),
        fingerprint(parameters={"instruction": ""}),
        fingerprint(parameters={"dimensions": True}),
        fingerprint(parameters={"padding": "max_length"}),
    ]
    assert len({usual, *others}) == 1 + len(others)
    assert fingerprint(parameters={"query_instruction": "Find what is asked for."}) == usual


def test_address_and_key_are_required_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    captions = CaptionConfig(provider="none")
    with pytest.raises(ConfigError, match=r"embed\.base_url is not set, nor is OPENAI_BASE_URL"):
        require_environment(captions, config())
    with pytest.raises(ConfigError, match=r"embed\.provider openai.*OPENAI_API_KEY is not set.*takes any text"):
        create_embedder(config(base_url="http://127.0.0.1:1/v1"))
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    require_environment(captions, config(base_url="http://127.0.0.1:1/v1"))
