"""ConSE and the image features beside it, on numbers that can be checked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tuku.providers.local import conse
from tuku.providers.local.class_names import ImageNetClass
from tuku.providers.local.features import DIM, INPUT_DIM, with_features, without_features

CLASSES = (ImageNetClass("cat", ("cat", "puss"), "purrs"), ImageNetClass("dog", ("dog",), ""))
WORDS = {"cat": [1, 0, 0], "puss": [0, 1, 0], "purrs": [0, 0, 1], "dog": [0, 0.6, 0.8]}


class WordEncoder:
    calls = 0

    def encode_all(self, texts: Sequence[str]) -> np.ndarray:
        self.calls += 1
        return np.array([WORDS[text] for text in texts], np.float32).reshape(-1, 3)


def test_a_class_is_its_names_and_half_its_description(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TUKU_CACHE", str(tmp_path))
    vectors = conse.class_vectors(CLASSES, WordEncoder(), "digest")
    np.testing.assert_allclose(vectors, [np.array([1, 1, 1]) / np.sqrt(3), WORDS["dog"]], atol=1e-6)


def test_class_vectors_are_made_once_for_the_same_inputs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TUKU_CACHE", str(tmp_path))
    conse.class_vectors(CLASSES, WordEncoder(), "digest")
    encoder = WordEncoder()
    conse.class_vectors(CLASSES, encoder, "digest")
    assert encoder.calls == 0
    conse.class_vectors(CLASSES, encoder, "another digest")
    conse.class_vectors(CLASSES[:1], encoder, "digest")
    assert len(list(tmp_path.iterdir())) == 3


def test_a_damaged_cache_is_told_apart_from_a_bug(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TUKU_CACHE", str(tmp_path))
    conse.class_vectors(CLASSES, WordEncoder(), "digest")
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"")
    with pytest.raises(conse.ConfigError, match=r"damaged.*Delete"):
        conse.class_vectors(CLASSES, WordEncoder(), "digest")


def test_a_picture_lies_between_its_classes() -> None:
    axes = np.eye(3, dtype=np.float32)
    # Probabilities after the temperature of 1.5 are 3/4 and 1/4.
    vector = conse.picture_vector(np.array([1.5 * np.log(3), 0, -1000], np.float32), axes)
    np.testing.assert_allclose(vector, np.array([3, 1, 0]) / np.sqrt(10), atol=1e-6)


def test_only_the_ten_likeliest_classes_count() -> None:
    logits = np.zeros(12, np.float32)
    logits[[3, 7]] = -0.01
    vector = conse.picture_vector(logits, np.eye(12, dtype=np.float32))
    assert np.flatnonzero(vector == 0).tolist() == [3, 7]


def test_features_leave_what_texts_find_as_it_was() -> None:
    random = np.random.default_rng(0)
    pictures = conse.unit(random.standard_normal((40, 384)).astype(np.float32))
    texts = conse.unit(random.standard_normal((20, 384)).astype(np.float32))
    features = random.random((40, INPUT_DIM)).astype(np.float32) * random.random((40, 1)).astype(np.float32)
    longer = np.stack([with_features(*pair) for pair in zip(pictures, features, strict=True)])
    scores = np.stack([without_features(text) for text in texts]) @ longer.T
    np.testing.assert_allclose(scores, texts @ pictures.T / np.sqrt(1 + 1.5**2), atol=1e-6)


def test_pictures_of_one_tag_are_told_apart_by_their_features() -> None:
    tag = np.eye(1, 384, dtype=np.float32)[0]
    random = np.random.default_rng(1).random((3, INPUT_DIM)).astype(np.float32)
    one, like_it, other = (with_features(tag, f) for f in (random[0], random[0] + 0.1 * random[1], random[2]))
    assert one @ other < one @ like_it < 1
    assert one.shape == (384 + DIM,)


def test_the_projection_never_changes() -> None:
    # Stored vectors were made with it.
    vector = with_features(np.eye(1, 384, dtype=np.float32)[0], np.eye(1, INPUT_DIM, dtype=np.float32)[0])
    signs = "".join("+" if number > 0 else "-" for number in vector[384:400])
    assert signs == "--++-+++--+--+--"
