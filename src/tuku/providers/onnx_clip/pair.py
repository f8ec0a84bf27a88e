"""A folder with both encoders and their tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuku.errors import ConfigError
from tuku.providers.hosted.families import FAMILIES, Family
from tuku.providers.hosted.folder import ModelFolder
from tuku.providers.hosted.preprocessing import Preprocessing
from tuku.providers.onnx_clip.graph import Graph

_WEIGHTS = ("*.onnx", "onnx/*.onnx")
TOKENIZERS = ("tokenizer.json", "vocab.txt")
_BOTH = 2


@dataclass(frozen=True)
class Pair:
    """What the files say.

    Attributes:
        folder: of all files.
        pictures: the picture encoder.
        texts: the text encoder.
        family: by ``config.json``, or CLIP where there is none.
        dim: length of the vectors.
        preprocessing: of pictures.
        text_tokens: the longest text, tokens.
    """

    folder: ModelFolder
    pictures: Graph
    texts: Graph
    family: Family
    dim: int
    preprocessing: Preprocessing
    text_tokens: int

    @classmethod
    def read(cls, path: Path, key: str, name: str | None = None) -> Pair:
        """Look at what is in a folder.

        Args:
            path: of the folder.
            key: of the configuration, for messages.
            name: of the model; None: the folder's.

        Raises:
            ConfigError: no such folder, something is missing in it, or the encoders do not fit together.
        """
        folder = ModelFolder.read(path, key, _WEIGHTS, TOKENIZERS, name)
        pictures, texts = _encoders(folder)
        config = folder.json("config.json")
        family = FAMILIES.get(str(config.get("model_type")), FAMILIES["clip"])
        dims = {graph.dim for graph in (pictures, texts) if graph.dim is not None}
        if len(dims) > 1:
            raise ConfigError(
                f"The encoders in {path} do not fit together: vectors of {pictures.dim} and of {texts.dim}.",
                "Export both from one model.",
            )
        dim = dims.pop() if dims else family.dim_of(config)
        prepared, tokens = _preprocessing(folder, family, pictures), _tokens(texts, family, config)
        return cls(folder, pictures, texts, family, dim, prepared, tokens)


def _encoders(folder: ModelFolder) -> tuple[Graph, Graph]:
    graphs = [Graph.read(path) for path in folder.weights]
    pictures = [graph for graph in graphs if graph.takes_pictures]
    texts = [graph for graph in graphs if not graph.takes_pictures]
    if len(graphs) != _BOTH or len(pictures) != 1:
        names = ", ".join(path.name for path in folder.weights)
        raise ConfigError(
            f"{folder.path} holds {names}: provider onnx_clip needs one encoder of pictures and one of texts.",
            "Keep the two files of one export there, such as vision_model.onnx and text_model.onnx, and no others.",
        )
    return pictures[0], texts[0]


def _preprocessing(folder: ModelFolder, family: Family, pictures: Graph) -> Preprocessing:
    [shape] = pictures.inputs.values()
    config = folder.preprocessor() or {"size": shape[2] or 224}
    found = Preprocessing.of(config, family, str(folder.path))
    wanted = (shape[2] or found.height, shape[3] or found.width)
    if (found.height, found.width) != wanted:
        raise ConfigError(
            f"{pictures.path} takes pictures of {wanted[1]} x {wanted[0]} px, and preprocessor_config.json says"
            f" {found.width} x {found.height}.",
            "Copy both from one model.",
        )
    return found


def _tokens(texts: Graph, family: Family, config: dict[str, Any]) -> int:
    shape = next(iter(texts.inputs.values()))
    return shape[1] or family.text_tokens_of(config)
