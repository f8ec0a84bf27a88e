"""Checkpoints of Chinese-CLIP's own code give the vectors that this code gives."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tuku.config import EmbedConfig
from tuku.errors import ConfigError
from tuku.providers.hf.original import config_of
from tuku.providers.registry import create_embedder, describe_embedder
from unit.providers.hosted import by_hand

TEXTS = ["一只猫", "狗坐在桌子上", "", "a", "红" * 100]


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("TUKU_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """The model, with weights that float16 holds exactly, and its file."""
    from fakes import original_clip

    model = original_clip.OriginalClip().eval().half().float()
    return model, original_clip.saved(model, tmp_path_factory.mktemp("original") / "clip_cn_tiny.pt")


@pytest.fixture
def file(original: tuple[Any, Path], tmp_path: Path) -> Path:
    """A copy of it that may be changed."""
    return shutil.copytree(original[1].parent, tmp_path / "copy") / original[1].name


def config(file: Path) -> EmbedConfig:
    return EmbedConfig(provider="hf", model=str(file), device="cpu")


def changed(file: Path, change) -> Path:
    """The file with another state dict."""
    import torch

    state = torch.load(file)["state_dict"]
    torch.save(change(state), file)
    return file


def seen_by_hand(pixels: np.ndarray) -> np.ndarray:
    """As the original prepares a picture: float32 (3, 32, 32)."""
    resized = Image.fromarray(pixels).resize((32, 32), Image.Resampling.BICUBIC)
    mean, std = np.array([0.48145466, 0.4578275, 0.40821073]), np.array([0.26862954, 0.26130258, 0.27577711])
    return ((np.asarray(resized) / 255 - mean) / std).transpose(2, 0, 1).astype(np.float32)


def assert_same_vectors(original: Any, file: Path) -> None:
    import torch

    embedder = create_embedder(config(file))
    pictures = by_hand.pictures()
    pixels = torch.from_numpy(np.stack([seen_by_hand(each.pixels) for each in pictures]))
    np.testing.assert_allclose(np.stack(embedder.embed_pictures(pictures)), original.pictures(pixels), atol=1e-4)
    np.testing.assert_allclose(np.stack(embedder.embed_queries(TEXTS)), original.texts(TEXTS), atol=1e-4)


def test_vectors_are_those_of_the_original(original: tuple[Any, Path]) -> None:
    assert_same_vectors(*original)
    described = describe_embedder(config(original[1]))
    assert (described.model, described.dim) == ("clip_cn_tiny", 16)
    assert described.picture_size.short_side_px == 32


def test_a_bare_state_dict_in_float32_will_do(original: tuple[Any, Path], file: Path) -> None:
    import torch

    torch.save(original[0].state_dict(), file)
    assert_same_vectors(original[0], file)


def test_weights_that_were_trained_with_flash_attention(original: tuple[Any, Path], file: Path) -> None:
    import torch

    def fused(state: dict[str, Any]) -> dict[str, Any]:
        new = {name.replace(".attn.in_proj_", ".attn.Wqkv."): each for name, each in state.items()}
        for layer in range(2):
            place = f"module.bert.encoder.layer.{layer}.attention"
            for kind in ("weight", "bias"):
                parts = [new.pop(f"{place}.self.{part}.{kind}") for part in ("query", "key", "value")]
                new[f"{place}.self.Wqkv.{kind}"] = torch.cat(parts)
                new[f"{place}.self.out_proj.{kind}"] = new.pop(f"{place}.output.dense.{kind}")
        return {"state_dict": new}

    assert_same_vectors(original[0], changed(file, fused))


def test_it_is_converted_once(file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = describe_embedder(config(file)).name
    monkeypatch.setattr("torch.load", lambda *_, **__: pytest.fail("read again"))
    assert describe_embedder(config(file)).name == first
    assert len(list(cache.iterdir())) == 1
    moved = file.rename(file.with_name("other.pt"))
    assert describe_embedder(config(moved)).name == first.replace("clip_cn_tiny", "other")


def test_other_weights_are_another_model(file: Path, cache: Path) -> None:
    """Even if only the least of them differ."""
    first = describe_embedder(config(file)).revision
    changed(file, lambda state: {**state, "module.logit_scale": state["module.logit_scale"] * 2})
    assert describe_embedder(config(file)).revision != first
    assert len(list(cache.iterdir())) == 2


def test_the_vocabulary_of_an_installed_package_is_found_without_importing_it(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "cn_clip"
    (package / "clip").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit")
    shutil.move(file.parent / "vocab.txt", package / "clip" / "vocab.txt")
    with pytest.raises(ConfigError, match=r"no vocab\.txt beside .*clip_cn_tiny\.pt.*cn_clip"):
        describe_embedder(config(file))
    monkeypatch.syspath_prepend(str(package.parent))
    assert describe_embedder(config(file)).dim == 16
    assert "cn_clip" not in sys.modules


def test_another_vocabulary_is_refused(file: Path, cache: Path) -> None:
    (file.parent / "vocab.txt").write_text("[PAD]\n[UNK]\n")
    with pytest.raises(ConfigError, match=r"vocab\.txt has 2 words, and the model in .*clip_cn_tiny\.pt has 43"):
        describe_embedder(config(file))
    assert list(cache.iterdir()) == []


class Bomb:
    """What a pickle may do."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return Path.touch, (self.trace,)


def test_nothing_in_the_file_is_run(file: Path, tmp_path: Path) -> None:
    changed(file, lambda state: {"state_dict": state, "args": Bomb(tmp_path / "trace")})
    with pytest.raises(ConfigError, match=r"is damaged, or holds more than weights, and is not loaded"):
        describe_embedder(config(file))
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: {"visual.layer1.0.conv1.weight": state["module.logit_scale"]}, r"ResNet \(RN50\).*ViT-B-16"),
        (lambda state: {"weight": state["module.logit_scale"]}, "no checkpoint of Chinese-CLIP.*no 'text_projection'"),
        (lambda state: {"epoch": 1}, "holds no state dict"),
        (lambda state: [1, 2], "holds no state dict"),
        (
            lambda state: {name: each for name, each in state.items() if "layer.1.output.dense.bias" not in name},
            r"another shape: text_model\.encoder\.layer\.1\.output\.dense\.bias",
        ),
        (lambda state: {**state, "module.visual.proj": state["module.visual.proj"][:, :8]}, "visual_projection"),
        (lambda state: {**state, "module.visual.conv1.weight": state["module.logit_scale"]}, "have other shapes"),
    ],
    ids=["resnet", "other model", "no weights", "a list", "a missing weight", "another shape", "no shape"],
)
def test_what_is_no_such_checkpoint(file: Path, cache: Path, change, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        describe_embedder(config(changed(file, change)))
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None], ids=["empty", "text", "cut off"])
def test_a_damaged_file(file: Path, content: bytes | None) -> None:
    file.write_bytes(file.read_bytes()[:100_000] if content is None else content)
    with pytest.raises(ConfigError, match=r"clip_cn_tiny\.pt is damaged"):
        describe_embedder(config(file))


def test_a_disk_that_is_full(file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors import SafetensorError

    def full(*_: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(ConfigError, match=r"No space left.*TUKU_CACHE"):
        describe_embedder(config(file))
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    ("width", "patch", "places", "hidden", "expected"),
    [(768, 16, 197, 768, (12, 224, 12)), (1024, 14, 577, 768, (16, 336, 12)), (1280, 14, 257, 1024, (16, 224, 16))],
    ids=["ViT-B-16", "ViT-L-14-336", "ViT-H-14"],
)
def test_the_published_sizes(width: int, patch: int, places: int, hidden: int, expected: tuple[int, int, int]) -> None:
    """Heads of pictures, the side of a picture and heads of texts are those of the makers' configurations."""
    import torch

    with torch.device("meta"):
        state = {
            "text_projection": torch.empty(hidden, 512),
            "visual.conv1.weight": torch.empty(width, 3, patch, patch),
            "visual.positional_embedding": torch.empty(places, width),
            "visual.transformer.resblocks.0.mlp.c_fc.weight": torch.empty(4 * width, width),
            "bert.embeddings.word_embeddings.weight": torch.empty(21128, hidden),
            "bert.embeddings.position_embeddings.weight": torch.empty(512, hidden),
            "bert.embeddings.token_type_embeddings.weight": torch.empty(2, hidden),
            "bert.encoder.layer.0.intermediate.dense.weight": torch.empty(4 * hidden, hidden),
        }
    found = config_of(state, Path("clip.pt"))
    seen, read = found["vision_config"], found["text_config"]
    assert (seen["num_attention_heads"], seen["image_size"], read["num_attention_heads"]) == expected
