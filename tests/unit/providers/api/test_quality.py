from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuku.errors import RowError
from tuku.providers.api.quality import caption_fault, checked_vector


@pytest.mark.parametrize(
    ("text", "finish_reason", "code"),
    [
        ("", "stop", "empty_caption"),
        (" \n ", None, "empty_caption"),
        ("…。", "stop", "empty_caption"),
        ("一只棕色的狗坐在", "length", "cut_caption"),
        ("", "content_filter", "refused_caption"),
        ("!!!!!!!!", "stop", "repeated_caption"),
        ("!" * 2000, "stop", "repeated_caption"),
        ("狗狗狗狗狗狗", "stop", "repeated_caption"),
        ("a dog a dog a dog a dog", "stop", "repeated_caption"),
        ("0 0 0 0", "stop", "repeated_caption"),
        ("描述：一只狗坐在草地上，阳光很好" + "，很好" * 20, "stop", "repeated_caption"),
        ("抱歉，我无法描述这张图片。", "stop", "refused_caption"),
        ("对不起, 我不能协助处理该请求", "stop", "refused_caption"),
        ("I’m sorry, but I can’t assist with that.", "stop", "refused_caption"),
        ("Sorry, I cannot help with this image.", "stop", "refused_caption"),
        ("作为一个AI语言模型，我看不到图片", "stop", "refused_caption"),
    ],
)
def test_answers_that_are_no_captions(text: str, finish_reason: str | None, code: str) -> None:
    fault = caption_fault(text, finish_reason)
    assert fault is not None
    assert (fault.code, fault.retryable) == (code, True)


@pytest.mark.parametrize(
    "text",
    [
        "描述：一只棕色的狗坐在草地上。\n关键词：狗、草地、棕色、户外、宠物",
        "红",
        "A sign that says: I'm sorry, but I can't swim!",
        "一张写着“抱歉，我无法营业”的告示",
        "A box of AAAA batteries on a table",
        "| 描述 | 关键词 |\n|-----------------------------------|---|\n| 一只狗坐在绿色的草地上，旁边有一棵树 | 狗 |",
        "哈哈大笑的孩子们在沙滩上奔跑",
        "1000000 元的支票放在一张木桌上，旁边有一支笔",
    ],
)
@pytest.mark.parametrize("finish_reason", ["stop", None, "null"])
def test_captions_are_left_alone(text: str, finish_reason: str | None) -> None:
    assert caption_fault(text, finish_reason) is None


@settings(deadline=None)
@given(st.text(max_size=40), st.integers(min_value=5, max_value=20))
def test_whatever_is_only_said_again_and_again_is_no_caption(phrase: str, times: int) -> None:
    assert caption_fault(phrase * times, "stop") is not None


@pytest.mark.parametrize(
    ("numbers", "code", "words"),
    [
        (None, "missing_vector", "no vector"),
        ([], "bad_vector", "has 0 numbers instead of 3"),
        ([1.0, 2.0], "bad_vector", "has 2 numbers instead of 3"),
        ([1.0, 2.0, 3.0, 4.0], "bad_vector", "instead of 3"),
        ([0.0, 0.0, 0.0], "bad_vector", "zero"),
        ([0, 0, 0], "bad_vector", "zero"),
        ([1.0, math.nan, 0.0], "bad_vector", "not finite"),
        ([1.0, math.inf, 0.0], "bad_vector", "not finite"),
        ([1.0, None, 0.0], "bad_vector", "no list of numbers"),
        (["1.0", "2.0", "3.0"], "bad_vector", "no list of numbers"),
        ([True, True, False], "bad_vector", "no list of numbers"),
        ([[1.0], [2.0], [3.0]], "bad_vector", "no list of numbers"),
        ([[1.0], [2.0, 3.0], 1.0], "bad_vector", "no list of numbers"),
        ([10**400, 1, 1], "bad_vector", "no list of numbers"),
        ("AAAA", "bad_vector", "no list of numbers"),
        ({"0": 1.0}, "bad_vector", "no list of numbers"),
    ],
)
def test_vectors_that_are_none(numbers: Any, code: str, words: str) -> None:
    outcome = checked_vector(numbers, 3)
    assert isinstance(outcome, RowError)
    assert (outcome.code, outcome.retryable) == (code, True)
    assert words in outcome.message


@settings(deadline=None)
@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53), min_size=1, max_size=8)
)
def test_every_other_vector_gets_length_one_and_keeps_its_direction(numbers: list[float]) -> None:
    outcome = checked_vector(numbers, len(numbers))
    if not any(numbers):
        assert isinstance(outcome, RowError)
        return
    assert isinstance(outcome, np.ndarray)
    assert outcome.dtype == np.float32
    assert np.linalg.norm(outcome.astype(np.float64)) == pytest.approx(1, abs=1e-6)
    largest = int(np.argmax(np.abs(np.asarray(numbers, dtype=np.float64))))
    assert np.sign(outcome[largest]) == np.sign(numbers[largest])
