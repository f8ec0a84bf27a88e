"""The models, with their limits as the vendor documents them (some only by third-party copies of its pages)."""

from __future__ import annotations

from dataclasses import dataclass

MB = 1_000_000


@dataclass(frozen=True)
class Model:
    """What all kinds have in common.

    Attributes:
        patch_px: a picture is one token for every square of this side.
        requests_per_min: the documented quota; None: none is documented. Likewise `tokens_per_min`.
        image_bytes: the most that one picture may have (`encoded`: as a data URI, else as a file).
    """

    name: str
    requests_per_min: int | None = None
    tokens_per_min: int | None = None
    patch_px: int = 32
    image_bytes: int = 10 * MB
    encoded: bool = True


@dataclass(frozen=True)
class CaptionModel(Model):
    """Looks at pictures and writes."""


@dataclass(frozen=True)
class EmbedModel(Model):
    """Makes vectors.

    Attributes:
        dims: lengths it can make, its default first; a single one cannot be asked for.
        items: most items in a request; None: no limit is stated. Likewise `images`.
        fuses: whether items can be fused into one vector; ``always``: they cannot be kept apart.
    """

    image_bytes: int = 3 * MB
    encoded: bool = False
    dims: tuple[int, ...] = (1024,)
    items: int | None = None
    images: int | None = None
    multi_images: int = 0
    text_tokens: int = 8192
    fuses: str = "never"


@dataclass(frozen=True)
class RerankModel(Model):
    """Says how relevant documents are; `texts` and `images`: the most of them in a request."""

    texts: int = 100
    images: int = 40


@dataclass(frozen=True)
class PooledModel(Model):
    """Makes vectors behind a vLLM: one for each conversation.

    Attributes:
        dim: of its vectors.
        context: most tokens of a conversation.
        told: whether it is told what to do, and looks at a picture and a text together; else at one of them alone.
        matryoshka: whether shorter vectors may be asked for.
    """

    dim: int = 2048
    context: int = 8192
    told: bool = True
    matryoshka: bool = False


MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        CaptionModel("qwen3-vl-flash", 1200, MB),
        CaptionModel("qwen3-vl-plus", 1200, MB),
        CaptionModel("qwen-vl-plus", 1200, MB, patch_px=28),
        CaptionModel("qwen-vl-max", 1200, MB, patch_px=28),
        EmbedModel("multimodal-embedding-v1", 120, items=20, images=1, text_tokens=512),
        EmbedModel("tongyi-embedding-vision-plus", dims=(1152, 1024, 512, 256, 128, 64), multi_images=8),
        EmbedModel("tongyi-embedding-vision-flash", dims=(768, 512, 256, 128, 64), multi_images=8),
        EmbedModel(
            "qwen3-vl-embedding", 1200, 600_000, dims=(2560, 2048, 1536, 1024, 768, 512, 256), items=20, fuses="asked"
        ),
        EmbedModel("qwen2.5-vl-embedding", dims=(1024, 2048, 768, 512), items=2, images=1, fuses="always"),
        RerankModel("qwen3-vl-rerank", 600),
        # Served by a vLLM of one's own, under their names on the hub; the 8B with --hf-overrides for its dimensions.
        CaptionModel("Qwen/Qwen3-VL-8B-Instruct"),
        PooledModel("Qwen/Qwen3-VL-Embedding-2B"),
        PooledModel("Qwen/Qwen3-VL-Embedding-8B", dim=4096, matryoshka=True),
        PooledModel("openai/clip-vit-base-patch32", dim=512, context=77, told=False),
    )
}
