"""What the self-hosted Qwen-VL models are called and what they are. Imports no SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tuku.config import CaptionConfig, EmbedConfig
from tuku.errors import ConfigError
from tuku.protocols import Captioner, Embedder, ModelDescription, PictureSize
from tuku.providers.api.instruction import INSTRUCTION_PARAMETERS, instruction_of
from tuku.providers.api.parameters import allow_only
from tuku.providers.api.prompts import Instructions, instructions
from tuku.providers.factory import Access, Factory
from tuku.providers.hosted.hub import TRANSFORMERS, located
from tuku.providers.qwen_vl.checkpoint import Checkpoint

if TYPE_CHECKING:
    from tuku.providers.hosted.device import Device
    from tuku.providers.qwen_vl.model import Pooling

NAME = "qwen_vl"
PACKAGES = ("torch", "transformers")
EXTRA = "hf"

_SIDE_PX = 768  # some 580 tokens
_BATCH = {"on_cpu": 4, "on_gpu": 16}
_WRITING = frozenset(
    {"do_sample", "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "no_repeat_ngram_size", "num_beams"}
)
_EMBEDDING = frozenset({"pooling", *INSTRUCTION_PARAMETERS})
_POOLINGS: tuple[Pooling, ...] = ("mean", "last")
_SHORTEST_DIM = 64  # of what Qwen3-VL-Embedding was trained to be cut to

# Name on the hub, width of its hidden layers, millions of parameters; as the makers' pages have them.
_INSTRUCT = (
    ("Qwen/Qwen3-VL-2B-Instruct", 2048, 2_130),
    ("Qwen/Qwen3-VL-4B-Instruct", 2560, 4_440),
    ("Qwen/Qwen3-VL-8B-Instruct", 4096, 8_770),
)
_EMBEDDERS = (("Qwen/Qwen3-VL-Embedding-2B", 2048, 2_130), ("Qwen/Qwen3-VL-Embedding-8B", 4096, 8_140))


def describe_captioner(config: CaptionConfig) -> ModelDescription:
    """The configured model.

    Raises:
        ConfigError: no such folder, a hub that does not give it, none of these models, or a parameter of others.
    """
    allow_only("caption", config.parameters, _WRITING, {"max_new_tokens": "caption.max_tokens"})
    found = _checkpoint("caption", config)
    return _description(found, config, _asked(config, found).settings)


def describe_embedder(config: EmbedConfig) -> ModelDescription:
    """The model in the configured folder.

    Raises:
        ConfigError: as `describe_captioner`.
    """
    allow_only("embed", config.parameters, _EMBEDDING, {"dimension": "embed.dim", "dim": "embed.dim"})
    found = _checkpoint("embed", config)
    pooling = _pooling(config, found)
    settings = (("pooling", pooling), ("instruction", _told(config)[0]))
    cut = found.embeds and config.dim is not None and _SHORTEST_DIM <= config.dim < found.dim
    return _description(found, config, settings, dim=config.dim if cut else found.dim)


def _description(
    found: Checkpoint,
    config: CaptionConfig | EmbedConfig,
    settings: tuple[tuple[str, str], ...],
    dim: int | None = None,
) -> ModelDescription:
    return ModelDescription(
        provider=NAME,
        model=found.folder.name,
        revision=found.folder.digest()[:16],
        picture_size=PictureSize(long_side_px=config.max_side_px or _SIDE_PX),
        dim=dim,
        lane="cpu" if config.device == "cpu" else "gpu",
        settings=(*settings, ("dtype", config.dtype)),
        languages=("mul",),
        licence="Apache-2.0",
        note=f"{found.family}, hosted by oneself: no picture leaves the premises.",
    )


def _checkpoint(section: str, config: CaptionConfig | EmbedConfig) -> Checkpoint:
    found = located(section, config, TRANSFORMERS)
    return Checkpoint.read(found.path, f"{section}.model", found.name)


def _asked(config: CaptionConfig, found: Checkpoint) -> Instructions:
    return instructions(config, found.folder.name)


def _pooling(config: EmbedConfig, found: Checkpoint) -> Pooling:
    given = config.parameters.get("pooling", "last" if found.embeds else "mean")
    for known in _POOLINGS:
        if given == known:
            return known
    raise ConfigError(
        f"embed.parameters.pooling is {json.dumps(given)}.", f"Set it to {' or '.join(_POOLINGS)}, or leave it out."
    )


def _told(config: EmbedConfig) -> tuple[str, str]:
    """What the model is told for what is stored, and for queries."""
    return instruction_of(config), instruction_of(config, "query_instruction")


def _device(config: CaptionConfig | EmbedConfig) -> Device:
    from tuku.providers.hosted.device import Device

    return Device.of(config.device, config.dtype, config.batch_size, **_BATCH)


def _create_captioner(config: CaptionConfig, description: ModelDescription, _access: Access | None) -> Captioner:
    from tuku.providers.qwen_vl.captioner import QwenVLCaptioner
    from tuku.providers.qwen_vl.model import shared_model

    found, device = _checkpoint("caption", config), _device(config)
    return QwenVLCaptioner(description, shared_model(found, device), device, _asked(config, found))


def _create_embedder(config: EmbedConfig, description: ModelDescription, _access: Access | None) -> Embedder:
    from tuku.providers.qwen_vl.embedder import QwenVLEmbedder
    from tuku.providers.qwen_vl.model import shared_model

    found, device = _checkpoint("embed", config), _device(config)
    return QwenVLEmbedder(description, shared_model(found, device), device, _pooling(config, found), *_told(config))


def _published(models: tuple[tuple[str, int, int], ...], *, embed: bool) -> Iterator[ModelDescription]:
    for name, dim, parameters_m in models:
        yield ModelDescription(
            provider=NAME,
            model=name,
            revision="",
            picture_size=PictureSize(long_side_px=_SIDE_PX),
            dim=dim if embed else None,
            lane="gpu",
            languages=("mul",),
            licence="Apache-2.0",
            parameters_m=parameters_m,
            note="Name its folder, or this id and a commit (docs/self-hosted.md).",
        )


CAPTIONER = Factory(
    describe_captioner, _create_captioner, PACKAGES, EXTRA, known=lambda: _published(_INSTRUCT, embed=False)
)
EMBEDDER = Factory(
    describe_embedder,
    _create_embedder,
    PACKAGES,
    EXTRA,
    known=lambda: _published(_EMBEDDERS + _INSTRUCT, embed=True),
)
