"""A Qwen3-VL as small as can be, which has learnt to say what colour a picture is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

COLOURS = {"红": (220, 30, 30), "绿": (30, 200, 40), "蓝": (30, 40, 220), "灰": (128, 128, 128)}
"""What it knows, and what that looks like."""

_CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"]
_CONTROL += ["<|video_pad|>"]
_TEMPLATE = """{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% for part in message.content -%}
{%- if part.type == 'image' -%}<|vision_start|><|image_pad|><|vision_end|>{%- else -%}{{ part.text }}{%- endif -%}
{%- endfor -%}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}<|im_start|>assistant
{% endif -%}"""
_PATCH, _PIXELS = 8, (16 * 16, 32 * 32)
HIDDEN, LAYERS = 32, 2
_STEPS, _PICTURES = 200, 8


def caption(colour: str) -> str:
    """What it says of a picture of this colour."""
    return f"描述：一张{colour}色的图。\n关键词：{colour}色、图"


def qwen3_vl(folder: Path, *, trained: bool = False, seed: int = 4, hidden: int = HIDDEN, layers: int = LAYERS) -> Path:
    """The model as its makers save theirs.

    Args:
        folder: where; made.
        trained: to write `caption`, which takes seconds; else its weights are by chance.
        seed: of the weights.
        hidden: width of its hidden layers.
        layers: how many of them.
    """
    import torch
    from transformers import Qwen3VLForConditionalGeneration

    _save_tokenizer(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "image_processor_type": "Qwen2VLImageProcessorFast",
                "patch_size": _PATCH,
                "merge_size": 2,
                "temporal_patch_size": 2,
                "size": {"shortest_edge": _PIXELS[0], "longest_edge": _PIXELS[1]},
                "image_mean": [0.5, 0.5, 0.5],
                "image_std": [0.5, 0.5, 0.5],
            }
        )
    )
    torch.manual_seed(seed)
    model = Qwen3VLForConditionalGeneration(_config(_words(), hidden, layers))
    model.generation_config.eos_token_id = [_CONTROL.index("<|im_end|>"), _CONTROL.index("<|endoftext|>")]
    model.generation_config.do_sample, model.generation_config.temperature = True, 0.7  # as its makers recommend
    model.save_pretrained(folder)
    if trained:
        _train(model, folder)
        model.save_pretrained(folder)
    return folder


def picture(colour: str, seed: int, side: int = 40) -> np.ndarray:
    """Pixels of about one colour: uint8 (side, side + 8, 3)."""
    noise = np.random.default_rng(seed).normal(0, 40, (side, side + 8, 3))
    return np.clip(np.array(COLOURS[colour]) + noise, 0, 255).astype(np.uint8)


def _words() -> list[str]:
    said = "".join(map(caption, COLOURS)) + "一只猫坐在桌子上狗杯 \n"
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,'!?<|"
    return [*_CONTROL, "<unk>", *_told(), *sorted(set(said) | set(letters))]


def _told() -> list[str]:
    """What it is told with every input: a token each, so that it has little to read."""
    from tuku.providers.api.instruction import INSTRUCTION
    from tuku.providers.api.prompts import CAPTION_PROMPT, CAPTION_SYSTEM

    return [CAPTION_SYSTEM, CAPTION_PROMPT, INSTRUCTION]


def _save_tokenizer(folder: Path) -> None:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    places = {word: place for place, word in enumerate(_words())}
    tokenizer = Tokenizer(models.WordLevel(places, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("|".join([*map(re.escape, _told()), r"[\s\S]"])), "isolated")
    tokenizer.decoder = decoders.Fuse()
    folder.mkdir(parents=True)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        unk_token="<unk>",
        additional_special_tokens=_CONTROL,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = _TEMPLATE
    fast.save_pretrained(folder)


def _config(words: list[str], hidden: int, layers: int) -> object:
    from transformers import Qwen3VLConfig

    rope = {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [4, 2, 2], "mrope_interleaved": True}
    ends = {"pad_token_id": 0, "bos_token_id": 0, "eos_token_id": words.index("<|im_end|>")}
    text = {"hidden_size": hidden, "intermediate_size": 2 * hidden, "num_hidden_layers": layers}
    text |= {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16}
    text |= {"vocab_size": len(words), "rope_parameters": rope, **ends}
    text |= {"initializer_range": 0.2}  # so that what it reads makes a difference
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": hidden}
    vision |= {"patch_size": _PATCH, "num_position_embeddings": 64, "deepstack_visual_indexes": [0]}
    tokens = {
        f"{name}_token_id": words.index(f"<|{place}|>")
        for name, place in (
            ("image", "image_pad"),
            ("video", "video_pad"),
            ("vision_start", "vision_start"),
            ("vision_end", "vision_end"),
        )
    }
    return Qwen3VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=False, **tokens)


def _train(model: object, folder: Path) -> None:
    import torch

    from tuku.providers.api.prompts import CAPTION_PROMPT, CAPTION_SYSTEM
    from tuku.providers.hosted.folder import ModelFolder
    from tuku.providers.qwen_vl.prompts import Prompter

    prompter = Prompter(ModelFolder.of_transformers(folder, "embed.model"))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for step in range(_STEPS):
        colours = [list(COLOURS)[number % len(COLOURS)] for number in range(_PICTURES)]
        seeds = [step * _PICTURES + number for number in range(_PICTURES)]
        prompts = [
            prompter(CAPTION_SYSTEM, CAPTION_PROMPT, picture(colour, seed))
            for colour, seed in zip(colours, seeds, strict=True)
        ]
        said = [prompter.tokenizer(caption(colour) + "<|im_end|>")["input_ids"] for colour in colours]
        ids = torch.tensor([[*prompt.tokens, *answer] for prompt, answer in zip(prompts, said, strict=True)])
        labels = ids.clone()
        labels[:, : len(prompts[0].tokens)] = -100
        loss = model(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            pixel_values=torch.from_numpy(np.concatenate([prompt.patches for prompt in prompts])),
            image_grid_thw=torch.tensor([prompt.grid for prompt in prompts]),
            mm_token_type_ids=(ids == prompter.image_token).to(torch.int32),
            labels=labels,
        ).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < 5e-3:
            return
