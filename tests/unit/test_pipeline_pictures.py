"""In which form pictures travel from the decoder to the models."""

from __future__ import annotations

from typing import Literal

import pytest

from tuku.pipeline import Models
from tuku.protocols import ModelDescription, PictureSize


def model(lane: Literal["cpu", "api"], side_px: int | None) -> ModelDescription:
    size = None if side_px is None else PictureSize(long_side_px=side_px)
    return ModelDescription("fake", "model", "1", picture_size=size, lane=lane)


@pytest.mark.parametrize(
    ("captioner", "embedder", "served"),
    [
        (model("api", 448), model("api", 448), True),
        (None, model("api", 448), True),
        (model("api", 448), model("api", 768), False),  # one JPEG made of another would lose twice
        (model("api", 448), model("cpu", 448), False),
        (model("api", 448), model("cpu", None), True),  # a local model of texts does not look
        (None, model("cpu", None), False),
    ],
)
def test_pictures_are_coded_only_if_one_jpeg_serves_all(
    captioner: ModelDescription | None, embedder: ModelDescription, served: bool
) -> None:
    assert Models(captioner, embedder, "", "").pictures_are_served() is served
