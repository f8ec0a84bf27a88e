"""An exported pair gives the vectors that the model gave before it was exported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fakes import tiny_models
from tuku.config import EmbedConfig
from tuku.errors import ConfigError
from tuku.providers.registry import create_embedder, describe_embedder
from unit.providers.hosted import by_hand


@pytest.fixture(
    scope="module", params=[(family, fixed) for family in tiny_models.MODELS for fixed in (False, True)], ids=str
)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model, and what was exported of it."""
    family, fixed = request.param
    place = tmp_path_factory.mktemp("models")
    return tiny_models.MODELS[family](place / "model"), tiny_models.exported(family, place / "exported", fixed=fixed)


def test_vectors_are_those_of_transformers(both: tuple[Path, Path]) -> None:
    folder, exported = both
    config = EmbedConfig(provider="onnx_clip", model=str(exported))
    assert describe_embedder(config).dim == by_hand.vectors(folder, images=False).shape[1]
    embedder = create_embedder(config)
    seen, read = embedder.embed_pictures(by_hand.pictures()), embedder.embed_passages(by_hand.TEXTS)
    np.testing.assert_allclose(np.stack(seen), by_hand.vectors(folder, images=True), atol=1e-4)
    np.testing.assert_allclose(np.stack(read), by_hand.vectors(folder, images=False), atol=1e-4)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "text_model.onnx").unlink(), "needs one encoder of pictures and one of texts"),
        (lambda folder: (folder / "text_model.onnx").write_bytes(b"\xff" * 99), "is no ONNX file"),
        (
            lambda folder: (folder / "third.onnx").write_bytes((folder / "text_model.onnx").read_bytes()),
            "and no others",
        ),
        (lambda folder: (folder / "tokenizer.json").unlink(), "There is no tokenizer"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "The tokenizer in .* cannot be loaded"),
        (lambda folder: (folder / "preprocessor_config.json").write_text('{"size": 64}'), "Copy both from one model"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path, spoil, message: str) -> None:
    folder = tiny_models.exported("clip", tmp_path / "clip", fixed=True)
    spoil(folder)
    with pytest.raises(ConfigError, match=message) as raised:
        create_embedder(EmbedConfig(provider="onnx_clip", model=str(folder)))
    assert raised.value.remedy
