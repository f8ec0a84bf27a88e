"""Answers that must never be stored, though the service calls them a success.

All of these are retryable: asked again, the same model often does better. That is up to the caller.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tuku.errors import RowError
from tuku.protocols import Vector

# A phrase said four times or more in a row. Whoever runs into the token limit so does it at the end of the answer.
_REPETITION = re.compile(r"(.{1,40}?)\1{3,}", re.DOTALL)
_LOOKED_AT = 8_000  # characters from the end
_LONG_REPETITION = 30  # characters; shorter ones count only if they are half of the answer
_RULES = set("-=_*~. \t\n|")  # a Markdown rule or table is no stutter

# What hosted models say when they will not look at a picture. Openings only: a caption may well speak of being sorry.
_REFUSALS = (
    *(
        f"{sorry},我{cannot}"
        for sorry in ("抱歉", "很抱歉", "非常抱歉", "对不起")
        for cannot in ("无法", "不能", "没有办法")
    ),
    *("我无法描述", "我无法提供", "我无法识别", "我无法回答", "我不能描述", "我不能提供"),
    *("作为一个ai", "作为ai", "作为一个人工智能", "作为人工智能", "作为一个语言模型"),
    *(
        f"{start}{cannot}"
        for start in ("i'm sorry, but i ", "i'm sorry, i ", "i am sorry, but i ", "sorry, but i ", "sorry, i ")
        for cannot in ("can't", "cannot", "can not", "am unable", "won't")
    ),
    *(f"i {cannot} {do}" for cannot in ("can't", "cannot") for do in ("assist", "help", "provide", "describe")),
    *("i'm unable to", "i am unable to", "as an ai", "i'm not able to"),
)
_TYPOGRAPHY = str.maketrans("’‘，：", "'',:")


def caption_fault(text: str, finish_reason: str | None) -> RowError | None:
    """Why this answer is no caption, or None.

    Args:
        text: what the model wrote.
        finish_reason: why it ended, as the service said: ``stop``, ``length``, ``content_filter`` …

    Returns:
        ``refused_caption``, ``cut_caption``, ``empty_caption`` or ``repeated_caption``.
    """
    answer = text.strip()
    if finish_reason == "content_filter":
        return _fault("refused_caption", "the service's content filter held the answer back")
    if finish_reason == "length":
        return _fault("cut_caption", "the answer reached caption.max_tokens and was cut")
    if _is_repetitive(answer):
        return _fault("repeated_caption", "the answer says one thing over and over")
    if not any(character.isalnum() for character in answer):
        return _fault("empty_caption", "there is no word in the answer")
    if answer.translate(_TYPOGRAPHY).casefold().lstrip("\"'“「").replace(", 我", ",我").startswith(_REFUSALS):
        return _fault("refused_caption", "the model will not describe the picture")
    return None


def checked_vector(numbers: Sequence[Any] | None, dim: int) -> Vector | RowError:
    """The vector that the service sent, made ready to be stored.

    Args:
        numbers: as they came out of the answer's JSON.
        dim: how many there must be.

    Returns:
        float32 (dim,), L2-normalised; or ``missing_vector`` or ``bad_vector``.
    """
    if numbers is None:
        return _fault("missing_vector", "the answer has no vector for this row")
    try:
        values = np.asarray(numbers)
    except (TypeError, ValueError, OverflowError):  # lists of different lengths, one inside the other
        values = np.asarray(None)
    problem = _problem_of(values, dim)
    if problem is not None:
        return _fault("bad_vector", f"the answer's vector {problem}")
    values = values / np.abs(values).max()  # squares of very large and very small numbers leave the range of a float
    vector: Vector = (values / np.linalg.norm(values)).astype(np.float32)
    return vector


def _problem_of(values: npt.NDArray[Any], dim: int) -> str | None:
    if values.ndim != 1 or values.dtype.kind not in "fiu":
        return "is no list of numbers"
    if len(values) != dim:
        return f"has {len(values)} numbers instead of {dim}"
    if not np.isfinite(values).all():
        return "is not finite"
    return None if values.any() else "is zero"


def _is_repetitive(answer: str) -> bool:
    answer = answer[-_LOOKED_AT:] + " "  # so that the last of "a dog a dog a dog a dog" is as long as the others
    for run in _REPETITION.finditer(answer):
        length = run.end() - run.start()
        if 2 * length >= len(answer) or (length >= _LONG_REPETITION and not set(run[1]) <= _RULES):
            return True
    return False


def _fault(code: str, message: str) -> RowError:
    return RowError(code, message, retryable=True)
