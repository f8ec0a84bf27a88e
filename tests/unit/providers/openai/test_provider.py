from __future__ import annotations

from typing import Any

import pytest

from tuku.config import CaptionConfig, PriceConfig, QuotaConfig
from tuku.errors import ConfigError
from tuku.protocols import PictureSize
from tuku.providers.openai.provider import CAPTIONER
from tuku.providers.registry import create_captioner, describe_captioner
from tuku.stages.fingerprints import caption_fingerprint

MODEL = "Qwen/Qwen3-VL-8B-Instruct"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)


def config(**values: Any) -> CaptionConfig:
    return CaptionConfig(**{"provider": "openai", "model": MODEL, **values})


def test_any_model_is_described() -> None:
    description = describe_captioner(config(max_side_px=448))
    assert description is not None
    assert description.name == f"openai/{MODEL}@served"
    assert description.picture_size == PictureSize(long_side_px=448)
    assert description.lane == "api"
    assert dict(description.settings)["system"]


def test_a_model_must_be_named() -> None:
    with pytest.raises(ConfigError, match=r"caption\.model is not set"):
        describe_captioner(config(model=None))


def test_terms_come_from_the_configuration_only() -> None:
    free = describe_captioner(config())
    paid = describe_captioner(
        config(
            quota=QuotaConfig(requests_per_min=500, tokens_per_min=9_000),
            price=PriceConfig(input_per_1k=0.5, currency="USD", as_of="2026-11-01"),
            max_tokens=30,
        )
    )
    assert free is not None
    assert paid is not None
    assert free.terms is not None
    assert paid.terms is not None
    assert (free.terms.requests_per_min, free.terms.tokens_per_min, free.terms.price.of(1000)) == (None, None, 0.0)
    assert (paid.terms.requests_per_min, paid.terms.tokens_per_min) == (500, 9_000)
    assert (paid.terms.price.of(1000), paid.terms.price.currency) == (0.5, "USD")
    assert paid.terms.answer_tokens == 30
    assert paid.terms.prompt_tokens > 0


def test_another_prompt_redoes_the_captions() -> None:
    usual, other = CAPTIONER.describe(config()), CAPTIONER.describe(config(prompt="Describe it."))
    assert caption_fingerprint(usual) != caption_fingerprint(other)


def test_an_address_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    with pytest.raises(ConfigError, match=r"caption\.base_url is not set, nor is OPENAI_BASE_URL"):
        create_captioner(config())


def test_a_key_is_required_though_it_may_be_any_text() -> None:
    with pytest.raises(ConfigError, match=r"OPENAI_API_KEY is not set.*takes any text"):
        create_captioner(config(base_url="http://127.0.0.1:1/v1"))


@pytest.mark.parametrize("name", ["stream", "model", "messages", "n", "user", "api_key", "extra_headers", "max_tokens"])
def test_no_parameter_steers_the_request(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"caption\.parameters\.{name} "):
        CAPTIONER.describe(config(parameters={name: "x"}))


def test_what_an_endpoint_of_ones_own_knows_goes_through() -> None:
    assert CAPTIONER.describe(config(parameters={"min_p": 0.1, "top_k": 3, "max_completion_tokens": 90})).settings
