"""Answers that mean something: tuku's own bundled models behind the vendor's names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fakes.dashscope.asked import Part
from fakes.dashscope.errors import invalid
from fakes.dashscope.minds import Words
from fakes.dashscope.pictures import ImageFile
from tuku.config import CaptionConfig, EmbedConfig
from tuku.errors import RowError
from tuku.protocols import Captioner, Embedder, Picture, PictureSize, Vector
from tuku.providers.registry import create_captioner, create_embedder

_KEYWORDS = 5
_CHINESE_CHARACTERS = 50


class LocalMind:
    """Says what the local captioner says, in English whatever the prompt; its vectors have 384 dimensions."""

    def __init__(self) -> None:
        captioner = create_captioner(CaptionConfig(provider="local"))
        if captioner is None:
            raise TypeError("the local provider has a captioner")
        self._captioner: Captioner = captioner
        self._embedder: Embedder = create_embedder(EmbedConfig(provider="local"))

    def describe(self, picture: ImageFile, *, chinese: bool) -> Words:
        caption = self._captioner.caption([_picture(picture, self._captioner.description.picture_size)])[0]
        if isinstance(caption, RowError):
            raise invalid(caption.message)
        keywords = (*caption.keywords, "picture", "photograph", "image", "scene", "view")[:_KEYWORDS]
        return Words(caption.text[:_CHINESE_CHARACTERS] if chinese else caption.text, keywords)

    def vector(self, parts: Sequence[Part]) -> Vector:
        summed = np.sum([self._part(part) for part in parts], axis=0)
        normalised: Vector = (summed / np.linalg.norm(summed)).astype(np.float32)
        return normalised

    def _part(self, part: Part) -> Vector:
        if isinstance(part, str):
            vector = self._embedder.embed_passages([part])[0]
        else:
            vector = self._embedder.embed_pictures([_picture(part, self._embedder.description.picture_size)])[0]
        if isinstance(vector, RowError):
            raise invalid(vector.message)
        return vector


def _picture(file: ImageFile, size: PictureSize | None) -> Picture:
    return Picture(file.pixels(size or PictureSize()), file.sha256)
