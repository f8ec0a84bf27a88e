"""DashScope's models by configuration: what they are, and how they are made. Imports no SDK."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import partial
from typing import Any

from tuku.config import CaptionConfig, EmbedConfig, RerankConfig
from tuku.errors import ConfigError
from tuku.protocols import Captioner, Embedder, ModelDescription, PictureSize
from tuku.protocols_ranking import Reranker, VisionRanker
from tuku.providers.api.environment import key_from_environment, required_access, service_address
from tuku.providers.api.parameters import allow_only
from tuku.providers.api.prompts import instructions
from tuku.providers.api.proxy import proxy_for
from tuku.providers.api.ranking_prompt import SIDE_PX, ranking_terms
from tuku.providers.dashscope.models import (
    CAPTIONERS,
    EMBEDDERS,
    RERANKERS,
    EmbedModel,
    RerankModel,
    ServedModel,
    find_model,
)
from tuku.providers.dashscope.parameters import (
    CAPTION_KEYS,
    CAPTION_PARAMETERS,
    EMBED_KEYS,
    EMBED_PARAMETERS,
    RERANK_KEYS,
    RERANK_PARAMETERS,
)
from tuku.providers.factory import Access, Factory

NAME = "dashscope"
KEY_VARIABLE = "DASHSCOPE_API_KEY"
ADDRESS_VARIABLE = "DASHSCOPE_HTTP_BASE_URL"  # the SDK's own
_SDK_ADDRESS = "https://dashscope.aliyuncs.com/api/v1"
LICENCE = "LicenseRef-proprietary"


def describe_captioner(config: CaptionConfig) -> ModelDescription:
    """The configured captioner, or the first of `CAPTIONERS`.

    Raises:
        ConfigError: a model that DashScope does not have, or a parameter that is not sent along.
    """
    model = find_model("caption.model", config.model, CAPTIONERS)
    allow_only("caption", config.parameters, CAPTION_PARAMETERS, CAPTION_KEYS)
    asked = instructions(config, config.model or model.name)
    description = _description(model, config)
    terms = replace(model.terms, prompt_tokens=asked.tokens)
    if config.max_tokens is not None:
        terms = replace(terms, answer_tokens=min(terms.answer_tokens, config.max_tokens))
    return replace(description, settings=asked.settings, terms=terms)


def describe_embedder(config: EmbedConfig) -> ModelDescription:
    """The configured embedder with the configured length of vectors, or the first of `EMBEDDERS` with its own.

    Raises:
        ConfigError: a model that DashScope does not have, a length that the model does not make, or a parameter that
            is not sent along.
    """
    model = find_model("embed.model", config.model, EMBEDDERS)
    allow_only("embed", config.parameters, EMBED_PARAMETERS, EMBED_KEYS)
    return replace(_description(model, config), dim=_dim(model, config), settings=_parameters(config))


def describe_reranker(config: RerankConfig) -> ModelDescription:
    """The configured reranker, or the first of `CAPTIONERS`: all of those look at the candidates and rank them.

    `RERANKERS` are of the other kind: they say how relevant each candidate is.

    Raises:
        ConfigError: a model that DashScope does not have, or a parameter that is not sent along.
    """
    model: ServedModel = find_model("rerank.model", config.model, {**CAPTIONERS, **RERANKERS})
    description = replace(_description(model, config), settings=_parameters(config))
    if isinstance(model, RerankModel):
        allow_only("rerank", config.parameters, RERANK_PARAMETERS, RERANK_KEYS)
        return description
    allow_only("rerank", config.parameters, CAPTION_PARAMETERS, RERANK_KEYS)
    size = PictureSize(long_side_px=config.max_side_px or SIDE_PX)
    return replace(description, picture_size=size, terms=ranking_terms(model.terms, config.candidates))


def _create_captioner(config: CaptionConfig, description: ModelDescription, access: Access | None) -> Captioner:
    from tuku.providers.dashscope.captioner import DashScopeCaptioner

    return DashScopeCaptioner(description, config, required_access(access), *_key_and_address("caption", config))


def _create_embedder(config: EmbedConfig, description: ModelDescription, access: Access | None) -> Embedder:
    from tuku.providers.dashscope.embedder import DashScopeEmbedder
    from tuku.providers.dashscope.fusing import FusingDashScopeEmbedder

    fuses = find_model("embed.model", description.model, EMBEDDERS).fusion is not None
    kind = FusingDashScopeEmbedder if fuses else DashScopeEmbedder
    return kind(description, config, required_access(access), *_key_and_address("embed", config))


def _create_reranker(
    config: RerankConfig, description: ModelDescription, access: Access | None
) -> Reranker | VisionRanker:
    key, address = _key_and_address("rerank", config)
    model: ServedModel = find_model("rerank.model", description.model, {**CAPTIONERS, **RERANKERS})
    if isinstance(model, RerankModel):
        from tuku.providers.dashscope.reranker import DashScopeReranker

        return DashScopeReranker(description, config, required_access(access), key, address)

    from tuku.providers.dashscope.ranker import DashScopeRanker

    return DashScopeRanker(description, config, required_access(access), key, address)


def _key_and_address(section: str, config: CaptionConfig | EmbedConfig | RerankConfig) -> tuple[str, str | None]:
    key = key_from_environment(KEY_VARIABLE, f"{section}.provider {NAME}", os.environ)
    address = service_address(f"{section}.base_url", config.base_url, ADDRESS_VARIABLE, os.environ)
    if address is not None and "compatible-mode" in address:
        raise ConfigError(
            f"{section}.base_url or {ADDRESS_VARIABLE} is the address for OpenAI's protocol.",
            "Take the one that ends with /api/v1, or provider openai.",
        )
    proxy_for(address or _SDK_ADDRESS)  # one that is none is found here, not by every worker
    return key, address


def _description(model: ServedModel, config: CaptionConfig | EmbedConfig | RerankConfig) -> ModelDescription:
    name = config.model or model.name
    return ModelDescription(
        provider=NAME,
        model=name,
        revision=name[len(model.name) + 1 :] or "stable",  # "stable" moves when the vendor says so, a snapshot does not
        picture_size=model.picture_size(config.max_side_px),
        lane="api",
        terms=model.terms,
        languages=model.languages,
        licence=LICENCE,
        note=f"Served by Alibaba Cloud: pictures and texts are sent there. {model.note}".strip(),
    )


def _dim(model: EmbedModel, config: EmbedConfig) -> int:
    if config.dim is None:
        return model.dims[0]
    if config.dim not in model.dims:
        lengths = ", ".join(str(dim) for dim in model.dims)
        raise ConfigError(
            f"embed.dim is {config.dim}, which {model.name} does not make.", f"It makes vectors of length {lengths}."
        )
    return config.dim


def _parameters(config: EmbedConfig | RerankConfig) -> tuple[tuple[str, str], ...]:
    parameters: dict[str, Any] = dict(sorted(config.parameters.items()))
    return (("parameters", json.dumps(parameters, ensure_ascii=False)),) if parameters else ()


PACKAGES = ("dashscope",)
CAPTIONER = Factory(
    describe_captioner,
    _create_captioner,
    PACKAGES,
    NAME,
    partial(_key_and_address, "caption"),
    ADDRESS_VARIABLE,
    known=lambda: [describe_captioner(CaptionConfig(provider=NAME, model=name)) for name in CAPTIONERS],
)
EMBEDDER = Factory(
    describe_embedder,
    _create_embedder,
    PACKAGES,
    NAME,
    partial(_key_and_address, "embed"),
    ADDRESS_VARIABLE,
    known=lambda: [describe_embedder(EmbedConfig(provider=NAME, model=name)) for name in EMBEDDERS],
)
RERANKER = Factory(
    describe_reranker,
    _create_reranker,
    PACKAGES,
    NAME,
    partial(_key_and_address, "rerank"),
    ADDRESS_VARIABLE,
    known=lambda: [describe_reranker(RerankConfig(provider=NAME, model=name)) for name in RERANKERS],
)
