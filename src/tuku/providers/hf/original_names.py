"""The weights of Chinese-CLIP's own code by the names, and in the shapes, of transformers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuku.providers.hf.original import no_chinese_clip

if TYPE_CHECKING:
    import torch

    from tuku.providers.hf.original import State

_UNUSED = re.compile(r"bert\.pooler\..*|bert\.embeddings\.position_ids")

# Three projections in one matrix, as PyTorch's attention has them, or FlashAttention's.
_FUSED = (
    (re.compile(r"(visual\..*)\.attn\.(?:in_proj_|Wqkv\.)(weight|bias)"), r"\1.self_attn.{}_proj.\2", "qkv"),
    (re.compile(r"(bert\..*)\.self\.Wqkv\.(weight|bias)"), r"\1.self.{}.\2", ("query", "key", "value")),
)
_RENAMED = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"^visual\.transformer\.resblocks\.", "vision_model.encoder.layers."),
        (r"^visual\.conv1\.", "vision_model.embeddings.patch_embedding."),
        (r"^visual\.class_embedding$", "vision_model.embeddings.class_embedding"),
        (r"^visual\.positional_embedding$", "vision_model.embeddings.position_embedding.weight"),
        (r"^visual\.ln_pre\.", "vision_model.pre_layrnorm."),
        (r"^visual\.ln_post\.", "vision_model.post_layernorm."),
        (r"^visual\.proj$", "visual_projection.weight"),
        (r"^text_projection$", "text_projection.weight"),
        (r"\.ln_([12])\.", r".layer_norm\1."),
        (r"\.mlp\.c_fc\.", ".mlp.fc1."),
        (r"\.mlp\.c_proj\.", ".mlp.fc2."),
        (r"\.attn\.out_proj\.", ".self_attn.out_proj."),
        (r"^(bert\..*)\.self\.out_proj\.", r"\1.output.dense."),
        (r"^bert\.", "text_model."),
    )
)
_TURNED = ("visual_projection.weight", "text_projection.weight")
_SHOWN = 3


def renamed(state: State, path: Path, config: dict[str, Any]) -> State:
    """The same weights as transformers names them, in float32.

    Args:
        state: by their original names; it is emptied, for both would need twice the memory.
        path: of the file, for messages.
        config: ``config.json`` of the model.

    Raises:
        ConfigError: weights that are missing, too many, or of another shape.
    """
    import torch

    found = {new: each for name in list(state) for new, each in _new(name, state.pop(name))}
    wanted = _shapes(config)
    wrong = sorted(wanted.keys() ^ found.keys()) or [name for name in wanted if found[name].shape != wanted[name]]
    if wrong:
        more = " …" if len(wrong) > _SHOWN else ""
        raise no_chinese_clip(path, f"missing, too many, or of another shape: {', '.join(wrong[:_SHOWN])}{more}")
    return {name: found.pop(name).to(torch.float32).clone(memory_format=torch.contiguous_format) for name in wanted}


def _new(name: str, weights: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    if _UNUSED.fullmatch(name):
        return
    for pattern, new, parts in _FUSED:
        if match := pattern.fullmatch(name):
            for part, each in zip(parts, weights.chunk(len(parts)), strict=True):
                yield _renamed(match.expand(new).format(part)), each
            return
    new_name = _renamed(name)
    yield new_name, weights.T if new_name in _TURNED else weights


def _renamed(name: str) -> str:
    for pattern, new in _RENAMED:
        name = pattern.sub(new, name)
    return name


def _shapes(config: dict[str, Any]) -> dict[str, torch.Size]:
    import torch
    from transformers import ChineseCLIPConfig, ChineseCLIPModel

    with torch.device("meta"):  # which needs no memory
        model = ChineseCLIPModel(ChineseCLIPConfig(**config))
    return {name: each.shape for name, each in model.state_dict().items()}
