"""Self-hosted models as small as can be: of the real families, with weights by chance, saved as their makers do."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

from fakes import tiny_qwen

DIM, SIDE = 16, 32
_VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
_VISION |= {"image_size": SIDE, "patch_size": 8}
_TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def chinese_clip(
    folder: Path, vision: Mapping[str, int] = _VISION, text: Mapping[str, int] = _TEXT, dim: int = DIM
) -> Path:
    """A Chinese-CLIP with BERT's tokenizer, whose pictures are squeezed into a square.

    Args:
        folder: where; made.
        vision: the shape of its picture encoder.
        text: likewise, of its text encoder.
        dim: length of its vectors.
    """
    import torch
    from transformers import BertTokenizer, ChineseCLIPConfig, ChineseCLIPModel

    words = [*_SPECIAL, *_LETTERS, *(f"##{letter}" for letter in _LETTERS), *"一只猫坐在桌子上狗红蓝杯"]
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(1)
    text = {**text, "vocab_size": len(words), "max_position_embeddings": 64, "initializer_range": 0.3}
    config = ChineseCLIPConfig(text_config=text, vision_config=dict(vision), projection_dim=dim)
    ChineseCLIPModel(config).save_pretrained(folder)
    size = {"height": vision["image_size"], "width": vision["image_size"]}
    return _prepared(folder, "ChineseCLIPImageProcessor", size=size, do_center_crop=False)


def clip(folder: Path) -> Path:
    """A CLIP with its byte-pair tokenizer, whose pictures lose their ends."""
    import torch
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

    words = [*_LETTERS, *(f"{letter}</w>" for letter in _LETTERS), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({word: place for place, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt")).save_pretrained(folder)
    torch.manual_seed(2)
    ends = {"bos_token_id": len(words) - 2, "eos_token_id": len(words) - 1, "pad_token_id": len(words) - 1}
    text = {**_TEXT, "vocab_size": len(words), "max_position_embeddings": 20, **ends}
    CLIPModel(CLIPConfig(text_config=text, vision_config=_VISION, projection_dim=DIM)).save_pretrained(folder)
    size = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}, "do_center_crop": True}
    return _prepared(folder, "CLIPImageProcessor", **size)


def siglip(folder: Path) -> Path:
    """A SigLIP, whose texts are all padded to one length."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, SiglipConfig, SiglipModel

    words = ["<pad>", "</s>", "<unk>", *_LETTERS, *"一只猫坐在桌子上狗红蓝杯"]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    folder.mkdir(parents=True)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_input_names=["input_ids"],
    )
    fast.save_pretrained(folder)
    torch.manual_seed(3)
    text = {**_TEXT, "vocab_size": len(words), "max_position_embeddings": 16, "projection_size": 32}
    text |= {"bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0}
    SiglipModel(SiglipConfig(text_config=text, vision_config=_VISION)).save_pretrained(folder)
    half = [0.5, 0.5, 0.5]
    return _prepared(
        folder, "SiglipImageProcessor", size={"height": SIDE, "width": SIDE}, image_mean=half, image_std=half
    )


MODELS: dict[str, Callable[[Path], Path]] = {"chinese_clip": chinese_clip, "clip": clip, "siglip": siglip}


def saved(family: str, folder: Path) -> Path:
    """A model of a family, as transformers saves it."""
    return tiny_qwen.qwen3_vl(folder) if family == "qwen3_vl" else MODELS[family](folder)


def _prepared(folder: Path, kind: str, **config: object) -> Path:
    mean, std = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
    common = {"do_resize": True, "do_rescale": True, "do_normalize": True, "do_convert_rgb": True, "resample": 3}
    values = {"image_processor_type": kind, **common, "rescale_factor": 1 / 255, "image_mean": mean, "image_std": std}
    (folder / "preprocessor_config.json").write_text(json.dumps({**values, **config}))
    return folder


def _towers() -> tuple[type, type]:
    import torch

    class PictureTower(torch.nn.Module):
        def __init__(self, model) -> None:
            super().__init__()
            self.model = model

        def forward(self, pixel_values):
            return self.model.get_image_features(pixel_values=pixel_values).pooler_output

    class TextTower(PictureTower):
        def forward(self, input_ids, attention_mask):
            return self.model.get_text_features(input_ids=input_ids, attention_mask=attention_mask).pooler_output

    return PictureTower, TextTower


def exported(family: str, folder: Path, *, fixed: bool = False) -> Path:
    """A model of a family as a pair of ONNX files, which take any number of inputs of any length, or (`fixed`) one."""
    import torch
    from transformers import AutoModel

    MODELS[family](folder)
    picture_tower, text_tower = _towers()
    model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    (folder / "model.safetensors").unlink()
    tokens = min(52, model.config.text_config.max_position_embeddings)
    ids = torch.arange(2 * tokens).reshape(2, tokens) % 20 + 3
    pictures, ones = torch.zeros(2, 3, SIDE, SIDE), torch.ones_like(ids)
    length = {} if family == "siglip" else {1: "length"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, tower, inputs in (
            ("vision_model", picture_tower(model), {"pixel_values": pictures}),
            ("text_model", text_tower(model), {"input_ids": ids, "attention_mask": ones}),
        ):
            given = {key: value[:1] for key, value in inputs.items()} if fixed else inputs
            axes = {key: {0: "batch", **(length if value.ndim == 2 else {})} for key, value in inputs.items()}
            output = "image_embeds" if name == "vision_model" else "text_embeds"
            torch.onnx.export(
                tower, tuple(given.values()), folder / f"{name}.onnx", input_names=list(inputs), output_names=[output],
                dynamic_axes={} if fixed else {**axes, output: {0: "batch"}}, dynamo=False, external_data=False,
            )  # fmt: skip
    return folder
