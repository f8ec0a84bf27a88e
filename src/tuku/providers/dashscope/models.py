"""DashScope's models: what they take, what they may be asked, and what that costs.

Quotas and prices are defaults that configuration overrides. They are those of the vendor's documentation for the region
Beijing, some by third-party copies of its pages, as of `_AS_OF`: captioners by the model list and "Rate limiting",
embedders by "Multimodal-Embedding API", the reranker by its own page. Where pictures cost more than texts, theirs is
the price: a bill is not larger than planned. No quota is documented for the models with `_UNDOCUMENTED_RPM`; theirs is
a guess, which throttling corrects downwards and `embed.quota` in both directions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from tuku.errors import ConfigError
from tuku.protocols import PictureSize
from tuku.providers.api.picture import PictureLimits
from tuku.terms import Price, Terms

_AS_OF = "2026-11-21"
_UNDOCUMENTED_RPM = 600
_QWEN3_PATCH_PX, _QWEN2_PATCH_PX = 32, 28

# Tokens are money: 14 × 14 or 16 × 16 of them show what a picture is of, and most JPEGs need not be decoded in full.
# Small print needs more (caption.max_side_px): at 768 px both quotas of a captioner bind at once.
_CAPTION_SIDE_PX = 448
# The embedders look at pictures through an encoder of about this size; more pixels are tokens without a gain.
_EMBED_SIDE_PX = 448

_MIN_SIDE_PX, _MAX_ASPECT = 10, 200
_CAPTION_LIMITS = PictureLimits(10_000_000, _MIN_SIDE_PX, _MAX_ASPECT)
_EMBED_LIMITS = PictureLimits(3_000_000, _MIN_SIDE_PX, _MAX_ASPECT)

_ANSWER_TOKENS = 80  # 50 characters and five keywords, as tuku's own prompt asks
_PASSAGE_TOKENS = 60  # a caption


@dataclass(frozen=True)
class ServedModel:
    """One model of the service.

    Attributes:
        side_px: the long side to which pictures are reduced unless the configuration says otherwise.
        limits: of one picture.
        languages: ISO 639-1.
    """

    name: str
    terms: Terms
    side_px: int
    limits: PictureLimits
    languages: tuple[str, ...] = ("zh", "en")
    note: str = ""

    def picture_size(self, max_side_px: int | None) -> PictureSize:
        """What the decoder must deliver; `max_side_px` is the configuration's."""
        return PictureSize(long_side_px=max_side_px or self.side_px)


@dataclass(frozen=True)
class CaptionModel(ServedModel):
    """Looks at pictures and writes."""


@dataclass(frozen=True)
class EmbedModel(ServedModel):
    """Makes vectors.

    Attributes:
        dims: lengths that it can make, its default first.
        takes_dimension: whether a request may say which of them.
        text_tokens: longest text.
        fusion: parameters of a request whose contents become one vector; None for a model that cannot do that.
    """

    dims: tuple[int, ...] = ()
    takes_dimension: bool = True
    text_tokens: int = 1024
    fusion: Mapping[str, bool] | None = None


@dataclass(frozen=True)
class RerankModel(ServedModel):
    """Says how relevant texts and pictures are; `Terms` say how many of them go into a request."""

    text_tokens: int = 8_000


ModelT = TypeVar("ModelT", bound=ServedModel)


def _captioner(name: str, input_per_1k: float, output_per_1k: float, *, patch_px: int) -> CaptionModel:
    terms = Terms(
        requests_per_min=1_200,
        tokens_per_min=1_000_000,
        price=Price(input_per_1k, output_per_1k, "CNY", _AS_OF),
        patch_px=patch_px,
        answer_tokens=_ANSWER_TOKENS,
        concurrency=192,
    )
    return CaptionModel(name, terms, _CAPTION_SIDE_PX, _CAPTION_LIMITS)


def _embed_terms(
    price: float, *, pictures: int, texts: int, items: int, rpm: int = _UNDOCUMENTED_RPM, tpm: int | None = None
) -> Terms:
    return Terms(
        requests_per_min=rpm,
        tokens_per_min=tpm,
        price=Price(price, 0.0, "CNY", _AS_OF),
        patch_px=_QWEN3_PATCH_PX,
        prompt_tokens=_PASSAGE_TOKENS,
        pictures_per_request=pictures,
        texts_per_request=texts,
        items_per_request=items,
        concurrency=32,
    )


def _by_name(models: Iterable[ModelT]) -> Mapping[str, ModelT]:
    return {model.name: model for model in models}


# In each table the first is the default.
CAPTIONERS = _by_name(
    (
        _captioner("qwen3-vl-flash", 0.000_15, 0.001_5, patch_px=_QWEN3_PATCH_PX),
        _captioner("qwen3-vl-plus", 0.001, 0.01, patch_px=_QWEN3_PATCH_PX),
        _captioner("qwen-vl-plus", 0.000_8, 0.002, patch_px=_QWEN2_PATCH_PX),
        _captioner("qwen-vl-max", 0.001_6, 0.004, patch_px=_QWEN2_PATCH_PX),
    )
)

# Eight pictures a request: no count is stated for the vision models, but for several pictures in one item it is.
_VISION_TERMS = {"pictures": 8, "texts": 20, "items": 20}
EMBEDDERS = _by_name(
    (
        EmbedModel(
            "tongyi-embedding-vision-plus",
            _embed_terms(0.000_5, **_VISION_TERMS),
            _EMBED_SIDE_PX,
            _EMBED_LIMITS,
            dims=(1152, 1024, 512, 256, 128, 64),
        ),
        EmbedModel(
            "tongyi-embedding-vision-flash",
            _embed_terms(0.000_15, **_VISION_TERMS),
            _EMBED_SIDE_PX,
            _EMBED_LIMITS,
            dims=(768, 512, 256, 128, 64),
        ),
        EmbedModel(
            "multimodal-embedding-v1",
            _embed_terms(0.000_9, pictures=1, texts=20, items=20, rpm=120),
            _EMBED_SIDE_PX,
            _EMBED_LIMITS,
            dims=(1024,),
            takes_dimension=False,
            text_tokens=512,
        ),
        EmbedModel(
            "qwen3-vl-embedding",
            _embed_terms(0.001_8, pictures=20, texts=20, items=20, rpm=1_200, tpm=600_000),
            _EMBED_SIDE_PX,
            _EMBED_LIMITS,
            dims=(2560, 2048, 1536, 1024, 768, 512, 256),
            text_tokens=32_000,
            fusion={"enable_fusion": True},
        ),
        EmbedModel(
            "qwen2.5-vl-embedding",
            _embed_terms(0.001_8, pictures=1, texts=1, items=1),
            _EMBED_SIDE_PX,
            _EMBED_LIMITS,
            dims=(1024, 2048, 768, 512),
            text_tokens=32_000,
            fusion={},
            note="Makes one vector of all that is in a request, so every picture and every text is a request.",
        ),
    )
)

RERANKERS = _by_name(
    (
        RerankModel(
            "qwen3-vl-rerank",
            Terms(
                requests_per_min=600,
                tokens_per_min=9_000_000,
                price=Price(0.001_8, 0.0, "CNY", _AS_OF),
                patch_px=_QWEN3_PATCH_PX,
                prompt_tokens=_PASSAGE_TOKENS,
                pictures_per_request=40,
                texts_per_request=100,
                items_per_request=100,
                concurrency=16,
            ),
            _EMBED_SIDE_PX,
            _EMBED_LIMITS,
        ),
    )
)


def find_model(key: str, name: str | None, models: Mapping[str, ModelT]) -> ModelT:
    """The model of that name, or the one whose snapshot it names; the default if there is no name.

    Args:
        key: of the configuration, for the message.
        name: such as ``qwen3-vl-flash``, or its snapshot ``qwen3-vl-flash-2025-10-15``, whose quota may well be lower.
        models: one of the tables above.

    Raises:
        ConfigError: there is no such model.
    """
    if name is None:
        return next(iter(models.values()))
    for known, model in models.items():
        if name == known or name.startswith(f"{known}-"):
            return model
    raise ConfigError(
        f"{key} is {name!r}, which provider dashscope does not have.",
        f"Known are: {', '.join(models)}; and their snapshots, such as {next(iter(models))}-2025-10-15.",
    )
