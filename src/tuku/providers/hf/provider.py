"""What the self-hosted models are called and what they are. Imports no SDK."""

from __future__ import annotations

from pathlib import Path

from tuku.config import EmbedConfig
from tuku.errors import ConfigError
from tuku.protocols import Embedder, ModelDescription
from tuku.providers.factory import Access, Factory
from tuku.providers.hf.checkpoint import Checkpoint
from tuku.providers.hf.published import published

PACKAGES = ("torch", "transformers")
_KEY = "embed.model"


def describe_embedder(config: EmbedConfig) -> ModelDescription:
    """The model in the configured folder."""
    found = _checkpoint(config)
    return ModelDescription(
        provider="hf",
        model=found.path.name,
        revision=found.folder.digest()[:16],
        picture_size=found.preprocessing.picture_size,
        dim=found.dim,
        lane="cpu" if config.device == "cpu" else "gpu",
        settings=(("dtype", config.dtype),),
        languages=found.family.languages,
        licence=found.family.licence,
        note=f"{found.family.name}, hosted by oneself: no picture leaves the premises.",
    )


def _checkpoint(config: EmbedConfig) -> Checkpoint:
    if config.model is None:
        raise ConfigError(
            f"embed.provider is hf, and {_KEY} is not set.", "Set it to the folder of a model (docs/self-hosted.md)."
        )
    return Checkpoint.read(Path(config.model).expanduser(), _KEY)


def _create_embedder(config: EmbedConfig, description: ModelDescription, _access: Access | None) -> Embedder:
    from tuku.providers.hf.towers import HfTowers
    from tuku.providers.hosted.device import Device
    from tuku.providers.hosted.embedder import TowersEmbedder

    device = Device.of(config.device, config.dtype, config.batch_size)
    return TowersEmbedder(description, HfTowers(_checkpoint(config), device))


EMBEDDER = Factory(describe_embedder, _create_embedder, PACKAGES, extra="hf", known=published)
