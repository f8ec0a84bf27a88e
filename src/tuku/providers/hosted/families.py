"""The families of models that are known. A new one is one entry here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Family:
    """What a model's own files leave unsaid.

    Attributes:
        name: as its makers spell it.
        dim: where the length of its vectors is, in ``config.json``: section (empty for none), key, default.
        text_tokens: the longest text, tokens: the default of ``text_config.max_position_embeddings``, and the most.
        pads_texts: whether it was trained on texts that are all padded to the longest.
        squares: whether pictures are squeezed into a square; else their middle is cut out.
        mean, std: of the colours, by channel, if ``preprocessor_config.json`` does not say.
        languages: ISO 639-1 codes.
        licence: SPDX identifier of the weights that its makers published; one's own may have another.
    """

    name: str
    dim: tuple[str, str, int]
    text_tokens: tuple[int, int]
    pads_texts: bool
    squares: bool
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    languages: tuple[str, ...]
    licence: str

    def dim_of(self, config: Mapping[str, Any]) -> int:
        """The length of the vectors of a model with this ``config.json``."""
        section, key, default = self.dim
        values = config.get(section, {}) if section else config
        return int(values.get(key, default))

    def text_tokens_of(self, config: Mapping[str, Any]) -> int:
        """The longest text that it takes, tokens; what is beyond is cut."""
        default, most = self.text_tokens
        return min(most, int(config.get("text_config", {}).get("max_position_embeddings", default)))


_CLIP_MEAN, _CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_HALF = (0.5, 0.5, 0.5)

# By `model_type` in config.json.
FAMILIES: dict[str, Family] = {
    "chinese_clip": Family(
        name="Chinese-CLIP",
        dim=("", "projection_dim", 512),
        text_tokens=(512, 52),  # 52 is what it was trained with
        pads_texts=False,
        squares=True,
        mean=_CLIP_MEAN,
        std=_CLIP_STD,
        languages=("zh",),
        licence="Apache-2.0",
    ),
    "clip": Family(
        name="CLIP",
        dim=("", "projection_dim", 512),
        text_tokens=(77, 77),
        pads_texts=False,
        squares=False,
        mean=_CLIP_MEAN,
        std=_CLIP_STD,
        languages=("en",),
        licence="MIT",
    ),
    "siglip": Family(
        name="SigLIP",
        dim=("vision_config", "hidden_size", 768),
        text_tokens=(64, 64),
        pads_texts=True,
        squares=True,
        mean=_HALF,
        std=_HALF,
        languages=("en",),
        licence="Apache-2.0",
    ),
}
