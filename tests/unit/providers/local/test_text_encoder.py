from __future__ import annotations

import numpy as np
import pytest

from tuku.providers.local import models
from tuku.providers.local.text_encoder import TextEncoder

SENTENCES = ["a photo of a cat", "a tabby kitten on a sofa", "an espresso in a small cup", "Kaffee", "图库"]


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return models.text_encoder()


def test_agrees_with_the_model_before_quantisation(encoder: TextEncoder) -> None:
    # From sentence-transformers 6.2 on the fp32 weights: the first four numbers, and the cosines with the first text.
    heads = [
        [0.0330, 0.0912, 0.0277, 0.0236],
        [0.0664, -0.0719, -0.0285, -0.0364],
        [0.0108, 0.0469, -0.0246, 0.0829],
        [-0.0792, -0.0626, 0.0129, 0.0775],
        [0.0040, 0.0151, 0.0805, 0.0011],
    ]
    vectors = np.stack(encoder.encode(SENTENCES))
    np.testing.assert_allclose(vectors[:, :4], heads, atol=0.015)
    np.testing.assert_allclose(vectors @ vectors[0], [1, 0.5405, 0.1022, 0.1319, 0.0827], atol=0.01)


def test_reads_words_as_bert_does(encoder: TextEncoder) -> None:
    tokens = encoder._tokenizer.encode("Ünïcode Café—猫坐 tokenization")
    assert tokens.tokens == ["[CLS]", "unicode", "cafe", "—", "[UNK]", "[UNK]", "token", "##ization", "[SEP]"]
    assert (tokens.ids[0], tokens.ids[1], tokens.ids[-1]) == (101, 27260, 102)


def test_case_and_accents_do_not_matter(encoder: TextEncoder) -> None:
    vectors = encoder.encode_all(["Café CREME", "cafe creme"])
    assert np.array_equal(vectors[0], vectors[1])


def test_a_text_is_read_up_to_its_256th_token(encoder: TextEncoder) -> None:
    full = "cat " * 254  # and two tokens that mark beginning and end
    just, over, under = encoder.encode_all([full, full + "rocket", full[8:] + "rocket"])
    assert np.array_equal(just, over)
    assert not np.array_equal(just, under)


def test_vectors_that_are_remembered_cannot_be_changed(encoder: TextEncoder) -> None:
    (vector,) = encoder.encode(["a photo of a cat"])
    assert encoder.encode(["a photo of a cat"])[0] is vector
    with pytest.raises(ValueError, match="read-only"):
        vector += 1
