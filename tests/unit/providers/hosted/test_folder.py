"""What a model's folder says, and what is said of a folder that holds no model that is known. Needs no PyTorch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tuku.config import EmbedConfig
from tuku.errors import ConfigError
from tuku.protocols import PictureSize
from tuku.providers.hf.provider import EMBEDDER
from tuku.providers.hosted.families import FAMILIES
from tuku.providers.hosted.preprocessing import Preprocessing

SQUARE = {"do_resize": True, "size": {"height": 224, "width": 224}, "do_center_crop": False}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What `describe` looks at; the weights are none."""
    made = tmp_path / "chinese-clip"
    made.mkdir()
    (made / "config.json").write_text(json.dumps({"model_type": "chinese_clip", "projection_dim": 512}))
    (made / "preprocessor_config.json").write_text(json.dumps(SQUARE))
    (made / "vocab.txt").write_text("[PAD]\n")
    (made / "model.safetensors").write_bytes(bytes(3_000_000))
    return made


def described(folder: Path | str | None, **config: object):
    return EMBEDDER.describe(EmbedConfig(provider="hf", model=None if folder is None else str(folder), **config))


def test_a_model_is_described_without_being_loaded(folder: Path) -> None:
    model = described(folder)
    assert (model.provider, model.model, model.dim) == ("hf", "chinese-clip", 512)
    assert model.picture_size == PictureSize(short_side_px=224, exact=False)
    assert (model.lane, described(folder, device="cpu").lane) == ("gpu", "cpu")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), "There is no config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json cannot be read"),
        (lambda folder: (folder / "config.json").write_text("[]"), "config.json is no JSON object"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "bert"}'), "of the family 'bert'"),
        (lambda folder: (folder / "vocab.txt").unlink(), "There is no tokenizer"),
        (lambda folder: (folder / "model.safetensors").unlink(), "There are no weights"),
        (lambda folder: (folder / "preprocessor_config.json").unlink(), "There is no preprocessor_config.json"),
        (
            lambda folder: (folder / "preprocessor_config.json").write_text('{"size": {"longest_edge": 9}}'),
            "not understood",
        ),
        (lambda folder: (folder / "preprocessor_config.json").write_text('{"do_resize": false}'), "not understood"),
        (lambda folder: (folder / "preprocessor_config.json").write_text('{"image_mean": "x"}'), "not understood"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(folder: Path, spoil, message: str) -> None:
    spoil(folder)
    with pytest.raises(ConfigError, match=message) as raised:
        described(folder)
    assert str(folder) in raised.value.message
    assert raised.value.remedy


@pytest.mark.parametrize(("model", "message"), [(None, "embed.model is not set"), ("/no/such", "no such folder")])
def test_a_folder_that_is_not_there(model: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        described(model)


def test_other_weights_are_another_model_and_a_copy_is_not(folder: Path, tmp_path: Path) -> None:
    first = described(folder).revision
    assert described(folder).revision == first
    moved = folder.rename(tmp_path / "elsewhere")
    assert described(moved).revision == first
    content = bytearray((moved / "model.safetensors").read_bytes())
    content[-1] = 1
    (moved / "model.safetensors").write_bytes(bytes(content))
    assert described(moved).revision != first


@pytest.mark.parametrize(
    ("family", "config", "size", "kept"),
    [
        ("clip", {"size": 224, "crop_size": 224, "do_center_crop": True}, 224, None),
        (
            "clip",
            {"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}, "do_center_crop": True},
            256,
            224,
        ),
        ("siglip", {"size": 384}, 384, None),
        ("chinese_clip", {"size": {"height": 336, "width": 336}}, 336, None),
    ],
)
def test_sizes_in_all_their_spellings(family: str, config: dict[str, object], size: int, kept: int | None) -> None:
    prepare = Preprocessing.of(config, FAMILIES[family], "here")
    assert prepare.picture_size == PictureSize(short_side_px=size, exact=False)
    for shape in ((30, 500, 3), (500, 30, 3), (1, 1, 3), (10, 5000, 3), (size, size, 3)):
        assert prepare(np.zeros(shape, np.uint8)).shape == (kept or size, kept or size, 3)


def test_a_processor_file_of_newer_transformers_is_read(folder: Path) -> None:
    config = (folder / "preprocessor_config.json").read_text()
    (folder / "preprocessor_config.json").unlink()
    (folder / "processor_config.json").write_text(json.dumps({"image_processor": json.loads(config)}))
    assert described(folder).picture_size == PictureSize(short_side_px=224, exact=False)


@pytest.mark.parametrize("name", ["tokenizer_config.json", "vocab.txt", "chat_template.jinja", "spiece.model"])
def test_whatever_vectors_and_captions_depend_on_is_in_the_revision(folder: Path, name: str) -> None:
    revisions = set()
    for content in ("one", "two"):
        (folder / name).write_text(json.dumps({"is": content}))
        revisions.add(described(folder).revision)
    assert len(revisions) == 2
