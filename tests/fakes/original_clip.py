"""A Chinese-CLIP as small as can be, with the names, the layout and the sums of its makers' own code.

Compared with it by hand (package cn_clip 1.6.0): the same names and shapes, and the same vectors to 1e-6.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

WIDTH, HEADS, LAYERS, DIM, SIDE, PATCH = 128, 2, 2, 16, 32, 8
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", *"一只猫坐在桌子上狗红蓝杯"]
_PLACES = 64
_CLS, _SEP, _UNKNOWN = (WORDS.index(name) for name in ("[CLS]", "[SEP]", "[UNK]"))


class OriginalClip(nn.Module):
    """The whole model, with weights by chance."""

    def __init__(self, seed: int = 7, width: int = WIDTH) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.visual = _Visual(width)
        self.bert = _Bert()
        self.text_projection = nn.Parameter(torch.randn(WIDTH, DIM) * 0.1)
        self.logit_scale = nn.Parameter(torch.ones([]) * np.log(1 / 0.07))
        for parameter in self.parameters():  # biases and layer norms too, which otherwise do nothing
            parameter.data += 0.1 * torch.randn_like(parameter)

    @torch.inference_mode()
    def pictures(self, pixels: torch.Tensor) -> np.ndarray:
        """Of float32 (n, 3, side, side), as the model scales colours: float32 (n, dim), L2-normalised."""
        return nn.functional.normalize(self.visual(pixels), dim=-1).numpy()

    @torch.inference_mode()
    def texts(self, texts: list[str]) -> np.ndarray:
        """Of texts whose characters are words: float32 (n, dim), L2-normalised."""
        tokens = torch.zeros(len(texts), 52, dtype=torch.long)
        for row, text in enumerate(texts):
            words = [WORDS.index(letter) if letter in WORDS else _UNKNOWN for letter in text[:50]]
            tokens[row, : len(words) + 2] = torch.tensor([_CLS, *words, _SEP])
        first = self.bert(tokens)[:, 0]
        return nn.functional.normalize(first @ self.text_projection, dim=-1).numpy()


class _Visual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, PATCH, PATCH, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width))
        self.positional_embedding = nn.Parameter(torch.randn((SIDE // PATCH) ** 2 + 1, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = nn.ModuleDict({"resblocks": nn.Sequential(*(_Block(width) for _ in range(LAYERS)))})
        self.proj = nn.Parameter(torch.randn(width, DIM) * 0.1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        patches = self.conv1(pixels).flatten(2).transpose(1, 2)
        whole = torch.cat([self.class_embedding.expand(len(pixels), 1, -1), patches], dim=1)
        seen = self.transformer["resblocks"](self.ln_pre(whole + self.positional_embedding))
        return self.ln_post(seen[:, 0]) @ self.proj


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, HEADS, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, need_weights=False)[0]
        inner = self.mlp["c_fc"](self.ln_2(x))
        return x + self.mlp["c_proj"](inner * torch.sigmoid(1.702 * inner))


class _Bert(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        tables = {"word": len(WORDS), "position": _PLACES, "token_type": 2}
        embeddings = {f"{name}_embeddings": nn.Embedding(count, WIDTH) for name, count in tables.items()}
        self.embeddings = nn.ModuleDict({**embeddings, "LayerNorm": nn.LayerNorm(WIDTH, eps=1e-12)})
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(_Layer() for _ in range(LAYERS))})

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        tables = self.embeddings
        x = tables["word_embeddings"](tokens) + tables["position_embeddings"].weight[: tokens.shape[1]]
        x = tables["LayerNorm"](x + tables["token_type_embeddings"].weight[0])
        for layer in self.encoder["layer"]:
            x = layer(x, tokens != 0)
        return x


def _output(width: int) -> nn.ModuleDict:
    return nn.ModuleDict({"dense": nn.Linear(width, WIDTH), "LayerNorm": nn.LayerNorm(WIDTH, eps=1e-12)})


class _Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        projections = nn.ModuleDict({name: nn.Linear(WIDTH, WIDTH) for name in ("query", "key", "value")})
        self.attention = nn.ModuleDict({"self": projections, "output": _output(WIDTH)})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(WIDTH, 4 * WIDTH)})
        self.output = _output(4 * WIDTH)

    def forward(self, x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        query, key, value = (
            self.attention["self"][name](x).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=seen[:, None, None])
        output = self.attention["output"]
        x = output["LayerNorm"](x + output["dense"](mixed.transpose(1, 2).flatten(2)))
        inner = nn.functional.gelu(self.intermediate["dense"](x))
        return self.output["LayerNorm"](x + self.output["dense"](inner))


def saved(model: OriginalClip, path: Path) -> Path:
    """A checkpoint as training writes it: float16, with what is not used, and the vocabulary beside it."""
    weights = {f"module.{name}": each.half() for name, each in model.state_dict().items()}
    weights["module.bert.pooler.dense.bias"] = torch.zeros(WIDTH)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"epoch": 15, "step": 1, "name": "tiny", "state_dict": weights}, path)
    (path.parent / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return path
