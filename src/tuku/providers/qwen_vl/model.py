"""A loaded Qwen-VL: what it writes, and what its last hidden layer holds."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tuku.errors import ConfigError
from tuku.providers.hosted.device import Device
from tuku.providers.hosted.embedder import Vectors
from tuku.providers.hosted.pretrained import pretrained
from tuku.providers.qwen_vl.checkpoint import Checkpoint
from tuku.providers.qwen_vl.prompts import Prompt, Prompter

if TYPE_CHECKING:
    import torch

Pooling = Literal["mean", "last"]
"""Which places of the last hidden layer make the vector: the mean of all, or the last."""

_HEAD = "lm_head.weight"  # a model that was trained to embed may come without


@dataclass(frozen=True)
class Written:
    """What the model wrote, and whether it came to an end by itself."""

    text: str
    ended: bool


class QwenVL:
    """Safe to call from several threads: one computes at a time.

    Args:
        checkpoint: the model's files.
        device: where it computes.

    Raises:
        ConfigError: weights, tokenizer or image processor that cannot be loaded.
    """

    def __init__(self, checkpoint: Checkpoint, device: Device) -> None:
        path = checkpoint.folder.path
        self.prompter = Prompter(checkpoint.folder)
        self._device = device.torch_device
        model, loading = pretrained(
            "The weights",
            path,
            lambda auto: auto.AutoModelForImageTextToText,
            dtype=device.dtype,
            output_loading_info=True,
        )
        missing = set(loading["missing_keys"])
        if missing - {_HEAD}:
            raise ConfigError(
                f"Weights are missing in {path}: {', '.join(sorted(missing)[:3])} …", "Copy all of the model's files."
            )
        self.writes = not missing
        self._model = model.to(self._device).eval()
        ends = self._model.generation_config.eos_token_id
        self._ends = set(ends if isinstance(ends, list) else [ends])
        self._pad = self.prompter.tokenizer.pad_token_id or 0
        # It remembers the places of the pictures from one call to the next, while it writes.
        self._computing = threading.Lock()

    def write(self, prompts: Sequence[Prompt], max_tokens: int, options: Mapping[str, Any]) -> list[Written]:
        """What it writes after each prompt, at least one, in order.

        Args:
            prompts: what it reads.
            max_tokens: after so many it is cut off.
            options: of transformers' ``generate``; greedy without any.
        """
        inputs = self._inputs(prompts, left=True)
        with self._computing:
            # What the makers recommend (sampling, for one) is not what a caption that is paid for once should hang on.
            found = self._model.generate(
                **inputs,
                **{"do_sample": False, "temperature": None, "top_p": None, "top_k": None, **options},
                max_new_tokens=max_tokens,
                pad_token_id=self._pad,
            )
        return [self._written(row) for row in found[:, inputs["input_ids"].shape[1] :].tolist()]

    def vectors(self, prompts: Sequence[Prompt], pooling: Pooling) -> Vectors:
        """The last hidden layer at each prompt, at least one, pooled and L2-normalised, in order."""
        import torch

        inputs = self._inputs(prompts, left=False)
        with self._computing:
            hidden = self._model.model(**inputs, use_cache=False).last_hidden_state
        mask = inputs["attention_mask"]
        if pooling == "last":
            pooled = hidden[torch.arange(len(prompts), device=self._device), mask.sum(1) - 1].to(torch.float32)
        else:
            pooled = (hidden.to(torch.float32) * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        found: Vectors = torch.nn.functional.normalize(pooled, dim=-1).cpu().numpy()
        return found

    def _written(self, tokens: list[int]) -> Written:
        length = next((place for place, token in enumerate(tokens) if token in self._ends), None)
        text = self.prompter.tokenizer.decode(tokens[:length], skip_special_tokens=True)
        return Written(text, ended=length is not None)

    def _inputs(self, prompts: Sequence[Prompt], *, left: bool) -> dict[str, torch.Tensor]:
        import torch

        width = max(len(prompt.tokens) for prompt in prompts)
        tokens = np.full((len(prompts), width), self._pad, dtype=np.int64)
        mask = np.zeros_like(tokens)
        for row, prompt in enumerate(prompts):
            places = slice(width - len(prompt.tokens), None) if left else slice(len(prompt.tokens))
            tokens[row, places], mask[row, places] = prompt.tokens, 1
        inputs = {"input_ids": torch.from_numpy(tokens), "attention_mask": torch.from_numpy(mask)}
        patches = [prompt.patches for prompt in prompts if prompt.patches is not None]
        if patches:
            inputs["pixel_values"] = torch.from_numpy(np.concatenate(patches)).to(self._model.dtype)
            inputs["image_grid_thw"] = torch.tensor([prompt.grid for prompt in prompts if prompt.patches is not None])
            inputs["mm_token_type_ids"] = (inputs["input_ids"] == self.prompter.image_token).to(torch.int32)
        return {name: value.to(self._device, non_blocking=True) for name, value in inputs.items()}


_loaded: dict[tuple[str, str, str], QwenVL] = {}
_loading = threading.Lock()


def shared_model(checkpoint: Checkpoint, device: Device) -> QwenVL:
    """The model in this folder on this device: once in a process, for the captioner and the embedder alike.

    Raises:
        ConfigError: as `QwenVL`.
    """
    key = (str(checkpoint.folder.path.resolve()), str(device.torch_device), str(device.dtype))
    with _loading:
        if key not in _loaded:
            _loaded[key] = QwenVL(checkpoint, device)
        return _loaded[key]
