"""What the self-hosted models are called and what they are. Imports no SDK."""

from __future__ import annotations

from tuku.config import EmbedConfig
from tuku.protocols import Embedder, ModelDescription
from tuku.providers.factory import Access, Factory
from tuku.providers.hf.checkpoint import Checkpoint
from tuku.providers.hf.converted import converted
from tuku.providers.hf.published import published
from tuku.providers.hosted.hub import TRANSFORMERS, located

PACKAGES = ("torch", "transformers")


def describe_embedder(config: EmbedConfig) -> ModelDescription:
    """The configured model."""
    found = _checkpoint(config)
    return ModelDescription(
        provider="hf",
        model=found.folder.name,
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
    path, name = located("embed", config, TRANSFORMERS)
    if path.is_file():
        path, name = converted(path), path.stem
    return Checkpoint.read(path, "embed.model", name)


def _create_embedder(config: EmbedConfig, description: ModelDescription, _access: Access | None) -> Embedder:
    from tuku.providers.hf.towers import HfTowers
    from tuku.providers.hosted.device import Device
    from tuku.providers.hosted.embedder import TowersEmbedder

    device = Device.of(config.device, config.dtype, config.batch_size)
    return TowersEmbedder(description, HfTowers(_checkpoint(config), device))


EMBEDDER = Factory(describe_embedder, _create_embedder, PACKAGES, extra="hf", known=published)
