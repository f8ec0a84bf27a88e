"""A checkpoint of Chinese-CLIP's own code, as a folder that transformers loads: made once on each machine."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tuku.errors import ConfigError
from tuku.providers.hf.original import config_of, read_state
from tuku.providers.hf.original_names import renamed
from tuku.providers.hosted.cache import folder_built_once
from tuku.providers.hosted.families import FAMILIES
from tuku.providers.hosted.folder import samples

_VERSION = 1  # count it up when what is written changes: what other versions left in the cache is not read
_VOCABULARY = "vocab.txt"
_BICUBIC = 3
_READ_BYTES = 1 << 20


def converted(path: Path) -> Path:
    """The folder in the cache, converted first if this machine has not done so yet.

    Args:
        path: of a ``.pt`` file; the tokenizer's ``vocab.txt`` lies beside it, or in the package cn_clip.

    Raises:
        ConfigError: no vocabulary, no such checkpoint, or no room for the folder.
    """
    vocabulary = _vocabulary(path)
    digest = hashlib.sha256(vocabulary.read_bytes())
    try:
        stat = path.stat()
        digest.update(f"{stat.st_size} {stat.st_mtime_ns}".encode())  # samples alone may miss a small change
        for sample in samples(path):
            digest.update(sample)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", "Name a file that can be read.") from None
    name = f"chinese-clip-{digest.hexdigest()[:32]}-v{_VERSION}"
    return folder_built_once(name, partial(_write, path=path, vocabulary=vocabulary))


def _vocabulary(path: Path) -> Path:
    package = find_spec("cn_clip")  # which is not imported
    places = [path.parent, *(Path(each) / "clip" for each in (package and package.submodule_search_locations) or ())]
    for place in places:
        if (place / _VOCABULARY).is_file():
            return place / _VOCABULARY
    raise ConfigError(
        f"There is no {_VOCABULARY} beside {path}, and a .pt file holds no tokenizer.",
        f"Copy {_VOCABULARY} there from the model's page, or install the package cn_clip, which has it.",
    )


def _write(folder: Path, path: Path, vocabulary: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    state = read_state(path)
    config = config_of(state, path)
    _require_words(vocabulary, config["text_config"]["vocab_size"], path)
    weights = renamed(state, path, config)
    try:
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
    except SafetensorError as error:
        raise OSError(str(error)) from error  # such as a disk that is full
    _write_json(folder / "config.json", config)
    _write_json(folder / "preprocessor_config.json", _preprocessor(config["vision_config"]["image_size"]))
    _write_json(folder / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": True})
    (folder / _VOCABULARY).write_bytes(vocabulary.read_bytes())
    # Part of the model's revision, which otherwise has samples of the weights only.
    _write_json(folder / "converted_from.json", {"sha256": _sha256(path), "converter": _VERSION})


def _require_words(vocabulary: Path, wanted: int, path: Path) -> None:
    found = len(vocabulary.read_bytes().splitlines())
    if found != wanted:
        raise ConfigError(
            f"{vocabulary} has {found:,} words, and the model in {path} has {wanted:,}.",
            f"Copy the {_VOCABULARY} that belongs to the model beside it.",
        )


def _preprocessor(side_px: int) -> dict[str, Any]:
    family = FAMILIES["chinese_clip"]
    return {
        "image_processor_type": "ChineseCLIPImageProcessor",
        "do_resize": True,
        "size": {"height": side_px, "width": side_px},
        "resample": _BICUBIC,
        "do_center_crop": False,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": family.mean,
        "image_std": family.std,
        "do_convert_rgb": True,
    }


def _sha256(path: Path) -> str:
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_READ_BYTES):
            whole.update(part)
    return whole.hexdigest()


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
