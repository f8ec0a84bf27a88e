"""Models of the known families that their makers published, for who looks for one. Others do as well.

Sizes are rounded, and, like the licences, as the makers' pages have them; no hub could be asked while this was written.
"""

from __future__ import annotations

from collections.abc import Iterator

from tuku.protocols import ModelDescription, PictureSize
from tuku.providers.hosted.families import FAMILIES

# By family: name on the hub, dimension, millions of parameters, side of its pictures in px.
_PUBLISHED: dict[str, tuple[tuple[str, int, int, int], ...]] = {
    "chinese_clip": (
        ("OFA-Sys/chinese-clip-vit-base-patch16", 512, 188, 224),
        ("OFA-Sys/chinese-clip-vit-large-patch14", 768, 406, 224),
        ("OFA-Sys/chinese-clip-vit-large-patch14-336px", 768, 407, 336),
        ("OFA-Sys/chinese-clip-vit-huge-patch14", 1024, 958, 224),
    ),
    "clip": (
        ("openai/clip-vit-base-patch32", 512, 151, 224),
        ("openai/clip-vit-base-patch16", 512, 150, 224),
        ("openai/clip-vit-large-patch14", 768, 428, 224),
        ("openai/clip-vit-large-patch14-336", 768, 428, 336),
    ),
    "siglip": (
        ("google/siglip-base-patch16-224", 768, 203, 224),
        ("google/siglip-so400m-patch14-384", 1152, 878, 384),
        ("google/siglip2-base-patch16-224", 768, 375, 224),
        ("google/siglip2-so400m-patch14-384", 1152, 1136, 384),
    ),
}
_MANY_LANGUAGES = ("mul",)


def published() -> Iterator[ModelDescription]:
    """What is known of each before it is downloaded."""
    for kind, models in _PUBLISHED.items():
        family = FAMILIES[kind]
        for name, dim, parameters_m, side_px in models:
            yield ModelDescription(
                provider="hf",
                model=name,
                revision="",
                picture_size=PictureSize(short_side_px=side_px),
                dim=dim,
                lane="gpu",
                languages=_MANY_LANGUAGES if "siglip2" in name else family.languages,
                licence=family.licence,
                parameters_m=parameters_m,
                note=f"{family.name}: name its folder, or this id and a commit (docs/self-hosted.md).",
            )
