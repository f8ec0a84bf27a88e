"""Vectors as somebody gets them who calls transformers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from contract.pictures import noise, photograph
from tuku.protocols import Picture

TEXTS = ["a cat", "一只猫坐在桌子上", "", "cat " * 200, "red cup 7"]


def pictures() -> list[Picture]:
    """Of several shapes."""
    wide, high = np.asarray(Image.new("RGB", (700, 40), "red")), noise(3).pixels[:, :50]
    return [photograph("coffee.png"), noise(1), Picture(wide, "w"), Picture(high, "h"), photograph("rocket.jpg")]


def vectors(folder: Path, *, images: bool) -> np.ndarray:
    """Of `pictures` or of `TEXTS`, one at a time: float32 (5, dim), L2-normalised."""
    import torch
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder).eval()
    rows = []
    with torch.inference_mode():
        if images:
            processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
            for each in pictures():
                inputs = processor(Image.fromarray(each.pixels), return_tensors="pt")
                rows.append(model.get_image_features(**inputs).pooler_output[0])
        else:
            tokenizer = AutoTokenizer.from_pretrained(folder)
            limit = min(52, model.config.text_config.max_position_embeddings)
            padding = "max_length" if model.config.model_type == "siglip" else False
            for text in TEXTS:
                tokens = tokenizer(text, padding=padding, truncation=True, max_length=limit, return_tensors="pt")
                tokens.pop("token_type_ids", None)
                rows.append(model.get_text_features(**tokens).pooler_output[0])
    return torch.nn.functional.normalize(torch.stack(rows), dim=-1).numpy()
