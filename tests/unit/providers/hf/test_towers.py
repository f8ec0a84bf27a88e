"""Self-hosted models give the vectors that transformers gives when called by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fakes import tiny_models
from tuku.config import EmbedConfig
from tuku.errors import ConfigError
from tuku.providers.registry import create_embedder
from unit.providers.hosted import by_hand


@pytest.fixture(scope="module", params=tiny_models.MODELS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.MODELS[request.param](tmp_path_factory.mktemp("models") / request.param)


@pytest.mark.parametrize("batch_size", [1, 2, None])
def test_vectors_are_those_of_transformers(folder: Path, batch_size: int | None) -> None:
    embedder = create_embedder(EmbedConfig(provider="hf", model=str(folder), device="cpu", batch_size=batch_size))
    seen, read = embedder.embed_pictures(by_hand.pictures()), embedder.embed_passages(by_hand.TEXTS)
    np.testing.assert_allclose(np.stack(seen), by_hand.vectors(folder, images=True), atol=1e-4)
    np.testing.assert_allclose(np.stack(read), by_hand.vectors(folder, images=False), atol=1e-4)


@pytest.mark.parametrize(
    ("setting", "message"),
    [({"device": "cuda"}, "sees no GPU"), ({"dtype": "float16"}, "float16 needs a GPU")],
)
def test_a_gpu_that_is_not_there(folder: Path, setting: dict[str, str], message: str, monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match=message):
        create_embedder(EmbedConfig(provider="hf", model=str(folder), **setting))


def test_a_batch_that_does_not_fit_is_halved_and_nothing_is_lost(folder: Path, monkeypatch, caplog) -> None:
    import torch

    embedder = create_embedder(EmbedConfig(provider="hf", model=str(folder), device="cpu", batch_size=4))
    model = embedder._towers._model
    compute, sizes = model.get_image_features, []

    def small_memory(pixel_values):
        sizes.append(len(pixel_values))
        if len(pixel_values) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return compute(pixel_values=pixel_values)

    monkeypatch.setattr(model, "get_image_features", small_memory)
    found = embedder.embed_pictures(by_hand.pictures())
    np.testing.assert_allclose(np.stack(found), by_hand.vectors(folder, images=True), atol=1e-4)
    assert sizes == [4, 2, 2, 1]
    assert "2 at a time from here" in caplog.text


def test_weights_of_another_model_are_named(folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ConfigError, match=r"The weights in .* cannot be loaded"):
        create_embedder(EmbedConfig(provider="hf", model=str(copy), device="cpu"))
