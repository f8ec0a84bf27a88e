"""Which providers there are. A new one is one module with a `Factory`, and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from tuku.config import CaptionConfig, EmbedConfig
from tuku.errors import ConfigError
from tuku.protocols import Captioner, Embedder, ModelDescription
from tuku.providers.factory import Factory

NO_CAPTIONS = "none"
"""The value of `caption.provider` for a catalogue without captions."""

# Name in the configuration → "module:factory". The module is imported when the name is configured.
CAPTIONERS: dict[str, str] = {
    "local": "tuku.providers.local.provider:CAPTIONER",
}
EMBEDDERS: dict[str, str] = {
    "local": "tuku.providers.local.provider:EMBEDDER",
}


def describe_captioner(config: CaptionConfig) -> ModelDescription | None:
    """What the configured captioner is; None for a catalogue without captions. Loads no model.

    Raises:
        ConfigError: an unknown provider or model, or a package that is not installed.
    """
    if config.provider == NO_CAPTIONS:
        return None
    return _captioner_factory(config).describe(config)


def create_captioner(config: CaptionConfig) -> Captioner | None:
    """The configured captioner, loaded; None for a catalogue without captions.

    Raises:
        ConfigError: as `describe_captioner`, or weights that cannot be read.
    """
    if describe_captioner(config) is None:
        return None
    return _captioner_factory(config).create(config)


def describe_embedder(config: EmbedConfig) -> ModelDescription:
    """What the configured embedder is. Loads no model.

    Raises:
        ConfigError: an unknown provider or model, a package that is not installed, or an `embed.dim`
            that the model does not have.
    """
    description = _embedder_factory(config).describe(config)
    if config.dim not in (None, description.dim):
        raise ConfigError(
            f"embed.dim is {config.dim}, but {config.provider}/{description.model} makes vectors of "
            f"length {description.dim}.",
            f"Leave embed.dim empty or set it to {description.dim}.",
        )
    return description


def create_embedder(config: EmbedConfig) -> Embedder:
    """The configured embedder, loaded.

    Raises:
        ConfigError: as `describe_embedder`, or weights that cannot be read.
    """
    describe_embedder(config)
    return _embedder_factory(config).create(config)


def _captioner_factory(config: CaptionConfig) -> Factory[CaptionConfig, Captioner]:
    return _factory("caption.provider", config.provider, CAPTIONERS, also=(NO_CAPTIONS,))


def _embedder_factory(config: EmbedConfig) -> Factory[EmbedConfig, Embedder]:
    return _factory("embed.provider", config.provider, EMBEDDERS)


def _factory(key: str, name: str, known: Mapping[str, str], also: tuple[str, ...] = ()) -> Factory[Any, Any]:
    if name not in known:
        allowed = ", ".join([*sorted(known), *also])
        raise ConfigError(f"{key} is {name!r}, which is no provider.", f"Known are: {allowed}.")
    module, _, attribute = known[name].partition(":")
    factory: Factory[Any, Any] = getattr(import_module(module), attribute)
    missing = [package for package in factory.packages if find_spec(package) is None]
    if missing:
        raise ConfigError(
            f"{key} {name!r} needs {', '.join(missing)}, not installed here.",
            f'Install with: pip install "tuku[{factory.extra}]"',
        )
    return factory
