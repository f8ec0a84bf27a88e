"""The models of a run, described and checked before any work is done."""

from __future__ import annotations

from tuku.config import Config
from tuku.errors import ConfigError
from tuku.pipeline import Models
from tuku.providers.registry import describe_captioner, describe_embedder


def describe_models(config: Config) -> Models:
    """What the configured models are; none is loaded.

    Raises:
        ConfigError: an unknown provider or model, a missing package, or models that do not fit together.
    """
    captioner = describe_captioner(config.caption)
    embedder = describe_embedder(config.embed)
    if captioner is None and "text" in config.milvus.vectors:
        raise ConfigError(
            "milvus.vectors has `text`, the caption's vector, but caption.provider is `none`.",
            "Set milvus.vectors to [image], or choose a captioner.",
        )
    return Models.of(config, captioner, embedder)
