"""Models at any endpoint that speaks OpenAI's protocol: one's own vLLM, or a service. Imports no SDK."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import partial

from tuku.config import CaptionConfig, EmbedConfig, RerankConfig
from tuku.errors import ConfigError
from tuku.protocols import Captioner, Embedder, ModelDescription, PictureSize
from tuku.protocols_ranking import VisionRanker
from tuku.providers.api.environment import key_from_environment, required_access, service_address
from tuku.providers.api.parameters import refuse
from tuku.providers.api.prompts import CHAT_TEMPLATE_TOKENS, instructions, text_tokens
from tuku.providers.api.proxy import proxy_for
from tuku.providers.api.ranking_prompt import SIDE_PX, ranking_terms
from tuku.providers.factory import Access, Factory
from tuku.providers.openai.embed_settings import EmbedSettings
from tuku.providers.openai.parameters import REFUSED_PARAMETERS, own_keys
from tuku.terms import Terms

NAME = "openai"
KEY_VARIABLE = "OPENAI_API_KEY"
ADDRESS_VARIABLE = "OPENAI_BASE_URL"  # the SDK's own
DEFAULT_SIDE_PX = 768

# Nothing is known of a model by its name: no limit and no price unless the configuration says. Tokens of a picture are
# estimated as Qwen3-VL counts them, and corrected by what the server says it used.
UNKNOWN_TERMS = Terms(patch_px=32, answer_tokens=80)
_PASSAGE_TOKENS = 60  # a caption


def describe_captioner(config: CaptionConfig) -> ModelDescription:
    """The configured model, whatever its name.

    Raises:
        ConfigError: there is no name, or a parameter that is not sent along.
    """
    refuse("caption", config.parameters, REFUSED_PARAMETERS, own_keys("caption"))
    model = _named("caption", config.model)
    asked = instructions(config, model)
    answer_tokens = min(UNKNOWN_TERMS.answer_tokens, config.max_tokens or UNKNOWN_TERMS.answer_tokens)
    terms = Terms(patch_px=UNKNOWN_TERMS.patch_px, prompt_tokens=asked.tokens, answer_tokens=answer_tokens)
    return _description(model, config.max_side_px or DEFAULT_SIDE_PX, asked.settings, terms)


def describe_embedder(config: EmbedConfig) -> ModelDescription:
    """The configured model, whatever its name, with the configured length of vectors.

    Raises:
        ConfigError: there is no name or no length, or a parameter that is not sent along.
    """
    settings = EmbedSettings.of(config)
    model = _named("embed", config.model, "Qwen/Qwen3-VL-Embedding-2B")
    if config.dim is None:
        raise ConfigError(
            "embed.dim is not set, and provider openai asks no endpoint before a run begins.",
            "Set it to the length of the model's vectors, such as 2048 for Qwen3-VL-Embedding-2B and 4096 for the 8B.",
        )
    prompt_tokens = _PASSAGE_TOKENS + text_tokens(settings.instruction) + CHAT_TEMPLATE_TOKENS
    terms = Terms(patch_px=UNKNOWN_TERMS.patch_px, prompt_tokens=prompt_tokens)
    return replace(_description(model, config.max_side_px or DEFAULT_SIDE_PX, settings.told, terms), dim=config.dim)


def describe_reranker(config: RerankConfig) -> ModelDescription:
    """The configured model, whatever its name, as one that looks at all candidates at once.

    Raises:
        ConfigError: as for `describe_captioner`.
    """
    refuse("rerank", config.parameters, REFUSED_PARAMETERS, own_keys("rerank"))
    model = _named("rerank", config.model)
    terms = ranking_terms(UNKNOWN_TERMS, config.candidates)
    settings = (("parameters", json.dumps(config.parameters, sort_keys=True, ensure_ascii=False)),)
    return _description(model, config.max_side_px or SIDE_PX, settings, terms)


def _named(section: str, model: str | None, example: str = "Qwen/Qwen3-VL-8B-Instruct") -> str:
    if model is None:
        raise ConfigError(
            f"{section}.model is not set, and provider openai has no default.",
            f"Set it to the name under which the endpoint serves its model, such as {example}.",
        )
    return model


def _description(model: str, side_px: int, settings: tuple[tuple[str, str], ...], terms: Terms) -> ModelDescription:
    return ModelDescription(
        provider=NAME,
        model=model,
        revision="served",
        picture_size=PictureSize(long_side_px=side_px),
        lane="api",
        settings=settings,
        terms=terms,
        licence="NOASSERTION",
        note="Whatever the endpoint serves under this name: pictures are sent there.",
    )


def _create_captioner(config: CaptionConfig, description: ModelDescription, access: Access | None) -> Captioner:
    key, address = _key_and_address("caption", config)

    from tuku.providers.openai.captioner import OpenAICaptioner

    return OpenAICaptioner(description, config, required_access(access), key, address)


def _create_embedder(config: EmbedConfig, description: ModelDescription, access: Access | None) -> Embedder:
    key, address = _key_and_address("embed", config)

    from tuku.providers.openai.embedder import FusingOpenAIEmbedder, OpenAIEmbedder

    kind = FusingOpenAIEmbedder if EmbedSettings.of(config).instruction else OpenAIEmbedder
    return kind(description, config, required_access(access), key, address)


def _create_reranker(config: RerankConfig, description: ModelDescription, access: Access | None) -> VisionRanker:
    key, address = _key_and_address("rerank", config)

    from tuku.providers.openai.ranker import OpenAIRanker

    return OpenAIRanker(description, config, required_access(access), key, address)


def _key_and_address(section: str, config: CaptionConfig | EmbedConfig | RerankConfig) -> tuple[str, str]:
    address = service_address(f"{section}.base_url", config.base_url, ADDRESS_VARIABLE, os.environ)
    if address is None:
        raise ConfigError(
            f"{section}.base_url is not set, nor is {ADDRESS_VARIABLE}.",
            "Set it to the endpoint's address, such as http://localhost:8000/v1.",
        )
    proxy_for(address)  # one that is none is found here, not by every worker
    advice = "An endpoint of one's own that asks for no key takes any text."
    return key_from_environment(KEY_VARIABLE, f"{section}.provider {NAME}", os.environ, advice=advice), address


CAPTIONER = Factory(
    describe_captioner, _create_captioner, ("openai",), NAME, partial(_key_and_address, "caption"), ADDRESS_VARIABLE
)
EMBEDDER = Factory(
    describe_embedder, _create_embedder, ("openai",), NAME, partial(_key_and_address, "embed"), ADDRESS_VARIABLE
)
RERANKER = Factory(
    describe_reranker, _create_reranker, ("openai",), NAME, partial(_key_and_address, "rerank"), ADDRESS_VARIABLE
)
