"""all-MiniLM-L6-v2: English sentences as vectors of length 384."""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tuku.protocols import Vector
from tuku.providers.hosted.onnx_session import open_session
from tuku.providers.local.assets import TEXT_ENCODER
from tuku.providers.local.memo import Memo

if TYPE_CHECKING:
    from tokenizers.implementations import BertWordPieceTokenizer

DIM = 384
MAX_TOKENS = 256  # what the model was trained with; the rest of a longer text is not read
BATCH_TEXTS = 16
REMEMBERED_TEXTS = 4096  # 1.5 kB each


class TextEncoder:
    """Safe to call from several threads; a text that was just encoded is not encoded again."""

    def __init__(self) -> None:
        self._tokenizer = _tokenizer()
        self._session = open_session(TEXT_ENCODER.read())
        self._seen: Memo[str, Vector] = Memo(REMEMBERED_TEXTS)

    def encode(self, texts: Sequence[str]) -> list[Vector]:
        """One read-only vector for each text, in order."""
        return self._seen.get(texts, lambda positions: list(self.encode_all([texts[i] for i in positions])))

    def encode_all(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The vectors of all texts, float32 (n, 384), read-only and L2-normalised; nothing of it is remembered."""
        # JSON can smuggle in half a surrogate pair, which is no text that can be encoded.
        readable = [text.encode("utf-8", "replace").decode() for text in texts]
        # One by one, as encode_batch would start a thread on every core.
        tokens = [self._tokenizer.encode(text).ids for text in readable]
        vectors = np.empty((len(texts), DIM), np.float32)
        for positions in _equally_long(tokens):
            vectors[positions] = self._run(np.array([tokens[i] for i in positions], np.int64))
        vectors.flags.writeable = False
        return vectors

    def _run(self, tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        inputs = {
            "input_ids": tokens,
            "attention_mask": np.ones_like(tokens),
            "token_type_ids": np.zeros_like(tokens),
        }
        (states,) = self._session.run(["last_hidden_state"], inputs)
        means: npt.NDArray[np.float32] = states.mean(axis=1)
        vectors: npt.NDArray[np.float32] = means / np.linalg.norm(means, axis=1, keepdims=True)
        return vectors


def _equally_long(tokens: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    # Without padding a text's vector does not depend on its neighbours, and no padding is computed.
    by_length: defaultdict[int, list[int]] = defaultdict(list)
    for position, ids in enumerate(tokens):
        by_length[len(ids)].append(position)
    for positions in by_length.values():
        for start in range(0, len(positions), BATCH_TEXTS):
            yield positions[start : start + BATCH_TEXTS]


def _tokenizer() -> BertWordPieceTokenizer:
    from tokenizers.implementations import BertWordPieceTokenizer

    data = files("tuku.providers.local").joinpath("data/vocab.txt.gz").read_bytes()
    words = gzip.decompress(data).decode().rstrip("\n").split("\n")
    tokenizer = BertWordPieceTokenizer({word: number for number, word in enumerate(words)}, lowercase=True)
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer
