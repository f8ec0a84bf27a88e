"""What an exported CLIP is called and what it is. Imports no SDK until it is asked."""

from __future__ import annotations

from tuku.config import EmbedConfig
from tuku.protocols import Embedder, ModelDescription
from tuku.providers.factory import Access, Factory
from tuku.providers.hosted.hub import ONNX, located
from tuku.providers.onnx_clip.pair import Pair

PACKAGES = ("onnxruntime", "onnx", "tokenizers")


def describe_embedder(config: EmbedConfig) -> ModelDescription:
    """The configured pair."""
    pair = _pair(config)
    return ModelDescription(
        provider="onnx_clip",
        model=pair.folder.name,
        revision=pair.folder.digest()[:16],
        picture_size=pair.preprocessing.picture_size,
        dim=pair.dim,
        languages=pair.family.languages,
        licence=pair.family.licence,
        note=f"{pair.family.name} exported to ONNX, hosted by oneself: no picture leaves the premises.",
    )


def _pair(config: EmbedConfig) -> Pair:
    found = located("embed", config, ONNX)
    return Pair.read(found.path, "embed.model", found.name)


def _create_embedder(config: EmbedConfig, description: ModelDescription, _access: Access | None) -> Embedder:
    from tuku.providers.hosted.embedder import TowersEmbedder
    from tuku.providers.onnx_clip.towers import OnnxTowers

    return TowersEmbedder(description, OnnxTowers(_pair(config), config.batch_size))


EMBEDDER = Factory(describe_embedder, _create_embedder, PACKAGES, extra="local")
