"""Both encoders on onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tuku.errors import ConfigError
from tuku.protocols import Pixels
from tuku.providers.hosted.embedder import Vectors
from tuku.providers.hosted.preprocessing import Preprocessing
from tuku.providers.onnx_clip.graph import Graph
from tuku.providers.onnx_clip.pair import Pair

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer

_BATCH = 8
"""On a processor larger batches are slower."""


class OnnxTowers:
    """Implements `hosted.embedder.Towers` by onnxruntime.

    Args:
        pair: the files.
        batch_size: how many inputs are computed together at most; None for what is usually fastest.

    Raises:
        ConfigError: a file that cannot be loaded.
    """

    def __init__(self, pair: Pair, batch_size: int | None = None) -> None:
        self._preprocessing: Preprocessing = pair.preprocessing
        self._pictures, self._texts = _Encoder(pair.pictures, batch_size), _Encoder(pair.texts, batch_size)
        [self._picture_input] = pair.pictures.inputs
        self._text_inputs = pair.texts.inputs
        self._sees_padding = pair.family.pads_texts  # it was trained to
        fixed = next(iter(pair.texts.inputs.values()))[1] is not None or pair.family.pads_texts
        self._tokenizer = _tokenizer(pair.folder.path, pair.text_tokens, padded=fixed)
        self._mean, self._std = (
            np.asarray(values, np.float32) for values in (self._preprocessing.mean, self._preprocessing.std)
        )

    def prepare(self, pixels: Pixels) -> Pixels:
        """See `Towers`."""
        return self._preprocessing(pixels)

    def pictures(self, prepared: Sequence[Pixels]) -> Vectors:
        """See `Towers`."""
        scaled = ((np.stack(prepared).astype(np.float32) / 255 - self._mean) / self._std).transpose(0, 3, 1, 2)
        return self._pictures.vectors({self._picture_input: np.ascontiguousarray(scaled)})

    def texts(self, texts: Sequence[str]) -> Vectors:
        """See `Towers`."""
        tokens = self._tokenizer.encode_batch(list(texts))
        ids = np.asarray([each.ids for each in tokens], np.int64)
        seen = np.asarray([each.attention_mask for each in tokens], np.int64)
        if self._sees_padding:
            seen = np.ones_like(ids)
        known = {"attention_mask": seen, "token_type_ids": np.zeros_like(ids)}
        return self._texts.vectors({name: known.get(name, ids) for name in self._text_inputs})


class _Encoder:
    """An ONNX file that gives vectors; several threads may ask it at once."""

    def __init__(self, graph: Graph, batch_size: int | None) -> None:
        from tuku.providers.hosted.onnx_session import open_session

        self._session = open_session(graph.path)
        self._output = graph.vectors
        self._batch = graph.batch or batch_size or _BATCH
        self._types = {each.name: _TYPES.get(each.type) for each in self._session.get_inputs()}
        if None in self._types.values():
            wanted = ", ".join(each.type for each in self._session.get_inputs())
            raise ConfigError(f"{graph.path} takes {wanted}, which onnx_clip cannot give.", "Export it in float32.")

    def vectors(self, inputs: Mapping[str, npt.NDArray[np.generic]]) -> Vectors:
        """Of all inputs, which have one length: float32 (n, dim), L2-normalised."""
        count = len(next(iter(inputs.values())))
        found = []
        for start in range(0, count, self._batch):
            these = slice(start, start + self._batch)
            part = {name: values[these].astype(self._types[name]) for name, values in inputs.items()}
            [vectors] = self._session.run([self._output], part)
            found.append(vectors)
        whole: Vectors = np.concatenate(found).astype(np.float32)
        lengths: Vectors = np.linalg.norm(whole, axis=1, keepdims=True)
        normalised: Vectors = whole / np.maximum(lengths, np.finfo(np.float32).tiny)
        return normalised


_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}


def _tokenizer(folder: Path, most: int, *, padded: bool) -> Tokenizer:
    """Cuts texts to so many tokens; pads them to that (`padded`), or to the longest beside them."""
    from tokenizers import BertWordPieceTokenizer, Tokenizer

    try:
        if (folder / "tokenizer.json").exists():
            found = Tokenizer.from_file(str(folder / "tokenizer.json"))
        else:
            found = BertWordPieceTokenizer(str(folder / "vocab.txt"))._tokenizer  # noqa: SLF001  # what it is made of
    except Exception as error:  # noqa: BLE001  # tokenizers raises nothing more particular
        raise ConfigError(f"The tokenizer in {folder} cannot be loaded: {error}", "Copy its files again.") from None
    pad = next((found.token_to_id(token) for token in _PADS if found.token_to_id(token) is not None), 0)
    found.enable_truncation(most)
    found.enable_padding(pad_id=pad, length=most if padded else None)
    return found


_PADS = ("[PAD]", "<pad>", "<|endoftext|>")
