"""Which providers there are. A new one is one module with a `Factory`, and one line here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from tuku.config import CaptionConfig, EmbedConfig, RerankConfig
from tuku.errors import ConfigError
from tuku.protocols import Captioner, Embedder, ModelDescription
from tuku.protocols_ranking import Reranker, VisionRanker
from tuku.providers.factory import Access, Factory

NO_CAPTIONS = "none"
"""The value of `caption.provider` for a catalogue without captions."""

NO_RERANKER = "none"
"""The value of `rerank.provider` for a search without one."""

# Name in the configuration → "module:factory". The module is imported when the name is configured.
CAPTIONERS: dict[str, str] = {
    "dashscope": "tuku.providers.dashscope.provider:CAPTIONER",
    "local": "tuku.providers.local.provider:CAPTIONER",
    "openai": "tuku.providers.openai.provider:CAPTIONER",
    "qwen_vl": "tuku.providers.qwen_vl.provider:CAPTIONER",
}
EMBEDDERS: dict[str, str] = {
    "dashscope": "tuku.providers.dashscope.provider:EMBEDDER",
    "hf": "tuku.providers.hf.provider:EMBEDDER",
    "local": "tuku.providers.local.provider:EMBEDDER",
    "onnx_clip": "tuku.providers.onnx_clip.provider:EMBEDDER",
    "openai": "tuku.providers.openai.provider:EMBEDDER",
    "qwen_vl": "tuku.providers.qwen_vl.provider:EMBEDDER",
}
RERANKERS: dict[str, str] = {
    "dashscope": "tuku.providers.dashscope.provider:RERANKER",
    "openai": "tuku.providers.openai.provider:RERANKER",
}


def describe_captioner(config: CaptionConfig) -> ModelDescription | None:
    """What the configured captioner is; None for a catalogue without captions. Loads no model.

    Raises:
        ConfigError: an unknown provider or model, or a package that is not installed.
    """
    if config.provider == NO_CAPTIONS:
        return None
    return _on_configured_terms(_captioner_factory(config).describe(config), config)


def create_captioner(config: CaptionConfig, access: Access | None = None) -> Captioner | None:
    """The configured captioner, loaded; None for a catalogue without captions.

    Args:
        config: the configuration.
        access: to the service, for a model that has terms.

    Raises:
        ConfigError: as `describe_captioner`, or weights that cannot be read, or a secret that is missing.
    """
    description = describe_captioner(config)
    if description is None:
        return None
    return _captioner_factory(config).create(config, description, access)


def describe_embedder(config: EmbedConfig) -> ModelDescription:
    """What the configured embedder is. Loads no model.

    Raises:
        ConfigError: an unknown provider or model, a package that is not installed, or an `embed.dim`
            that the model does not have.
    """
    description = _on_configured_terms(_embedder_factory(config).describe(config), config)
    if config.dim not in (None, description.dim):
        raise ConfigError(
            f"embed.dim is {config.dim}, but {config.provider}/{description.model} makes vectors of "
            f"length {description.dim}.",
            f"Leave embed.dim empty or set it to {description.dim}.",
        )
    return description


def create_embedder(config: EmbedConfig, access: Access | None = None) -> Embedder:
    """The configured embedder, loaded.

    Args:
        config: the configuration.
        access: to the service, for a model that has terms.

    Raises:
        ConfigError: as `describe_embedder`, or weights that cannot be read, or a secret that is missing.
    """
    return _embedder_factory(config).create(config, describe_embedder(config), access)


def describe_reranker(config: RerankConfig) -> ModelDescription | None:
    """What the configured reranker is; None for a search without one. Loads no model.

    Raises:
        ConfigError: an unknown provider or model, or a package that is not installed.
    """
    if config.provider == NO_RERANKER:
        return None
    return _on_configured_terms(_reranker_factory(config).describe(config), config)


def create_reranker(config: RerankConfig, access: Access | None = None) -> Reranker | VisionRanker | None:
    """The configured reranker, of the kind that its model is; None for a search without one.

    Args:
        config: the configuration.
        access: to the service, for a model that has terms.

    Raises:
        ConfigError: as `describe_reranker`, or a secret that is missing.
    """
    description = describe_reranker(config)
    if description is None:
        return None
    return _reranker_factory(config).create(config, description, access)


def require_reranker_environment(config: RerankConfig) -> None:
    """Check what the configured reranker takes from the environment, without loading it.

    Raises:
        ConfigError: a key is missing, or an address is none.
    """
    if config.provider != NO_RERANKER:
        _reranker_factory(config).require(config)


def known_models() -> Iterator[tuple[str, ModelDescription]]:
    """The models that providers can be asked for by name, each with its stage: ``caption``, ``embed`` or ``rerank``.

    No package has to be installed for this. A provider that takes any model has none.
    """
    for stage, providers in (("caption", CAPTIONERS), ("embed", EMBEDDERS), ("rerank", RERANKERS)):
        for place in providers.values():
            for model in _loaded(place).known():
                yield stage, model


def require_environment(caption: CaptionConfig, embed: EmbedConfig) -> None:
    """Check what the configured models take from the environment, without loading them.

    Raises:
        ConfigError: a key is missing, or an address is none.
    """
    if caption.provider != NO_CAPTIONS:
        _captioner_factory(caption).require(caption)
    _embedder_factory(embed).require(embed)


def address_variable(stage: str, provider: str) -> str:
    """The variable of the environment that may hold the address of a stage's provider; empty if there is none.

    Args:
        stage: ``caption``, ``embed`` or ``rerank``.
        provider: its name in the configuration.
    """
    known = {"caption": CAPTIONERS, "embed": EMBEDDERS, "rerank": RERANKERS}[stage]
    return _factory(f"{stage}.provider", provider, known).address_variable


def _on_configured_terms(
    description: ModelDescription, config: CaptionConfig | EmbedConfig | RerankConfig
) -> ModelDescription:
    if description.terms is None:
        return description
    quota, price = config.quota.model_dump(exclude_none=True), config.price.model_dump(exclude_none=True)
    if "as_of" in price:
        price["as_of"] = price["as_of"].isoformat()
    if config.concurrency is not None:
        quota["concurrency"] = config.concurrency
    terms = replace(description.terms, price=replace(description.terms.price, **price), **quota)
    return replace(description, terms=terms)


def _captioner_factory(config: CaptionConfig) -> Factory[CaptionConfig, Captioner]:
    return _factory("caption.provider", config.provider, CAPTIONERS, also=(NO_CAPTIONS,))


def _embedder_factory(config: EmbedConfig) -> Factory[EmbedConfig, Embedder]:
    return _factory("embed.provider", config.provider, EMBEDDERS)


def _reranker_factory(config: RerankConfig) -> Factory[RerankConfig, Reranker | VisionRanker]:
    return _factory("rerank.provider", config.provider, RERANKERS, also=(NO_RERANKER,))


def _factory(key: str, name: str, known: Mapping[str, str], also: tuple[str, ...] = ()) -> Factory[Any, Any]:
    if name not in known:
        allowed = ", ".join([*sorted(known), *also])
        raise ConfigError(f"{key} is {name!r}, which is no provider.", f"Known are: {allowed}.")
    factory = _loaded(known[name])
    missing = [package for package in factory.packages if find_spec(package) is None]
    if missing:
        raise ConfigError(
            f"{key} {name!r} needs {', '.join(missing)}, not installed here.",
            f'Install with: pip install "tuku[{factory.extra}]"',
        )
    return factory


def _loaded(place: str) -> Factory[Any, Any]:
    module, _, attribute = place.partition(":")
    factory: Factory[Any, Any] = getattr(import_module(module), attribute)
    return factory
