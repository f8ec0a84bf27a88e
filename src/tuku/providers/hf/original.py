"""Chinese-CLIP as its makers' own code saves it: what is in a file, and the configuration that follows from it.

Names and shapes: github.com/OFA-Sys/Chinese-CLIP, cn_clip/clip/model.py and modeling_bert.py. PyTorch is imported when
it is used.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuku.errors import ConfigError

if TYPE_CHECKING:
    import torch

    State = dict[str, torch.Tensor]

_BLOCKS, _LAYERS = "visual.transformer.resblocks", "bert.encoder.layer"
_HEAD_WIDTH = 64
_OTHER_HEAD_WIDTHS = {1280: 80}  # of pictures, by the width of the layers: ViT-H-14


def read_state(path: Path) -> State:
    """The weights in a file, by their original names. Nothing that is in it is run.

    Raises:
        ConfigError: it cannot be read, or holds more than numbers.
    """
    import torch

    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001  # whatever its readers of several formats raise
        raise ConfigError(
            f"{path} is damaged, or holds more than weights, and is not loaded: a pickle may run any code"
            f" ({type(error).__name__}).",
            "Copy the file again from where its makers publish it; or name a folder with config.json and weights.",
        ) from None
    state = found.get("state_dict", found) if isinstance(found, dict) else None
    if not isinstance(state, dict) or not all(isinstance(each, torch.Tensor) for each in state.values()):
        raise no_chinese_clip(path, "it holds no state dict")
    return {str(name).removeprefix("module."): each for name, each in state.items()}


def config_of(state: State, path: Path) -> dict[str, Any]:
    """``config.json`` for these weights: all of it follows from their shapes, but the width of ViT-H-14's heads.

    Args:
        state: as `read_state` gives it.
        path: of the file, for messages.

    Raises:
        ConfigError: no Chinese-CLIP, or one with a ResNet.
    """
    if "visual.layer1.0.conv1.weight" in state:
        raise ConfigError(
            f"{path} is a Chinese-CLIP with a ResNet (RN50), which transformers does not have.",
            "Take one of the others: ViT-B-16, ViT-L-14, ViT-L-14-336 or ViT-H-14.",
        )
    try:
        dim = state["text_projection"].shape[1]
        return {
            "architectures": ["ChineseCLIPModel"],
            "model_type": "chinese_clip",
            "projection_dim": dim,
            "text_config": _text_config(state),
            "vision_config": {**_vision_config(state), "projection_dim": dim},
        }
    except KeyError as error:
        raise no_chinese_clip(path, f"there is no {error}") from None
    except (IndexError, TypeError, ValueError):
        raise no_chinese_clip(path, "its weights have other shapes") from None


def _vision_config(state: State) -> dict[str, Any]:
    width, channels, patch, _ = state["visual.conv1.weight"].shape
    places = len(state["visual.positional_embedding"]) - 1  # one is the class's
    return {
        "model_type": "chinese_clip_vision_model",
        "hidden_size": width,
        "intermediate_size": len(state[f"{_BLOCKS}.0.mlp.c_fc.weight"]),
        "num_hidden_layers": _count(state, _BLOCKS),
        "num_attention_heads": max(1, width // _OTHER_HEAD_WIDTHS.get(width, _HEAD_WIDTH)),
        "num_channels": channels,
        "image_size": math.isqrt(places) * patch,
        "patch_size": patch,
        "hidden_act": "quick_gelu",
        "layer_norm_eps": 1e-5,
    }


def _text_config(state: State) -> dict[str, Any]:
    words, width = state["bert.embeddings.word_embeddings.weight"].shape
    return {
        "model_type": "chinese_clip_text_model",
        "vocab_size": words,
        "hidden_size": width,
        "intermediate_size": len(state[f"{_LAYERS}.0.intermediate.dense.weight"]),
        "num_hidden_layers": _count(state, _LAYERS),
        "num_attention_heads": max(1, width // _HEAD_WIDTH),
        "max_position_embeddings": len(state["bert.embeddings.position_embeddings.weight"]),
        "type_vocab_size": len(state["bert.embeddings.token_type_embeddings.weight"]),
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
    }


def _count(state: State, layers: str) -> int:
    prefix = f"{layers}."
    return len({name.removeprefix(prefix).split(".")[0] for name in state if name.startswith(prefix)})


def no_chinese_clip(path: Path, why: str) -> ConfigError:
    """The file is something else than was thought."""
    return ConfigError(
        f"{path} is no checkpoint of Chinese-CLIP's own code: {why}.",
        "Name one of its files, such as clip_cn_vit-b-16.pt, or a folder with config.json and weights.",
    )
