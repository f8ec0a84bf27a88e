"""A quota that one request never fits into is refused before anything is begun."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tuku.config import CaptionConfig, Config, EmbedConfig, LimitsConfig, PriceConfig, QuotaConfig
from tuku.errors import ConfigError
from tuku.providers.registry import describe_captioner, describe_embedder
from tuku.runtime.inputs import require_terms
from tuku.runtime.models import describe_models
from tuku.runtime.quota_fit import minutes_per_request, request_tokens, slowness

SERVED = Config(caption=CaptionConfig(provider="dashscope"), embed=EmbedConfig(provider="dashscope"))


def changed(stage: str, **values: object) -> Config:
    return SERVED.model_copy(update={stage: getattr(SERVED, stage).model_copy(update=values)})


def test_a_request_is_a_picture_a_prompt_and_an_answer() -> None:
    captioner, embedder = describe_captioner(SERVED.caption), describe_embedder(SERVED.embed)
    assert captioner is not None
    assert captioner.terms is not None
    # 448 px are 14 patches of 32 px, and two tokens frame the picture.
    assert request_tokens(captioner) == 14 * 14 + 2 + captioner.terms.prompt_tokens + captioner.terms.answer_tokens
    assert request_tokens(embedder) == 14 * 14 + 2
    assert request_tokens(replace(captioner, terms=None)) == 0


@pytest.mark.parametrize("stage", ["caption", "embed"])
def test_a_quota_smaller_than_one_request_is_refused(stage: str) -> None:
    config = changed(stage, quota=QuotaConfig(tokens_per_min=1))
    with pytest.raises(ConfigError, match=rf"{stage}\.quota\.tokens_per_min is 1, and one request .* about \d+ tokens"):
        require_terms(config, describe_models(config))
    enough = changed(stage, quota=QuotaConfig(tokens_per_min=1_000))
    require_terms(enough, describe_models(enough))


def test_money_cannot_be_limited_in_two_currencies() -> None:
    dear = PriceConfig(input_per_1k=1.0, currency="USD")
    config = changed("embed", price=dear).model_copy(update={"limits": LimitsConfig(max_cost=1.0)})
    with pytest.raises(ConfigError, match="paid in CNY and USD"):
        require_terms(config, describe_models(config))


def test_slowness_is_said_with_its_keys() -> None:
    embedder = describe_embedder(SERVED.embed)  # 600 requests a minute
    assert slowness("embed", embedder, 1.0) == ""
    assert minutes_per_request(embedder, 0.001) == pytest.approx(1 / 0.6)
    assert slowness("embed", embedder, 0.001).startswith(
        "embed.quota and quota.share (0.001) let one request through in 1 min 40 s"
    )
    assert minutes_per_request(replace(embedder, terms=None), 0.001) == 0
