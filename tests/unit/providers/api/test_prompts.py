from __future__ import annotations

import pytest

from tuku.config import CaptionConfig
from tuku.providers.api.prompts import (
    CAPTION_PROMPT,
    CAPTION_SYSTEM,
    cut_to_tokens,
    instructions,
    text_tokens,
    without_control_tokens,
)


def test_the_default_asks_for_what_reference_system_a_asks_for() -> None:
    asked = instructions(CaptionConfig(), "qwen-vl-plus")
    assert (asked.system, asked.prompt) == (CAPTION_SYSTEM, CAPTION_PROMPT)
    assert "不超过50个字" in asked.prompt
    assert "5个关键词" in asked.prompt
    assert asked.parameters == ()


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("qwen3-vl-flash", False),
        ("qwen-vl-plus", False),
        ("qwen2.5-vl-7b-instruct", False),
        ("Qwen/Qwen3-VL-8B-Instruct", False),
        ("qwen3.5-flash", True),
        ("Qwen/Qwen3.5-9B", True),
        ("qwen3.6-plus-2026-04-02", True),
        ("qwen4-vl", True),
        ("not-a-qwen3.5", False),
    ],
)
def test_only_models_that_think_are_told_not_to(model: str, told: bool) -> None:
    assert dict(instructions(CaptionConfig(), model).parameters) == ({"enable_thinking": False} if told else {})


def test_who_wants_thinking_gets_it() -> None:
    config = CaptionConfig(parameters={"enable_thinking": True, "a": 1})
    assert instructions(config, "qwen3.5-plus").parameters == (("a", 1), ("enable_thinking", True))


@pytest.mark.parametrize(
    "changed",
    [
        {"prompt": "Describe it."},
        {"max_tokens": 100},
        {"parameters": {"temperature": 0.2}},
        {"parameters": {"seed": 1}},
    ],
)
def test_whatever_changes_the_answer_is_in_the_settings(changed: dict[str, object]) -> None:
    usual = instructions(CaptionConfig(), "qwen-vl-plus").settings
    assert instructions(CaptionConfig(**changed), "qwen-vl-plus").settings != usual


def test_the_order_of_parameters_changes_nothing() -> None:
    one = instructions(CaptionConfig(parameters={"seed": 1, "top_p": 0.5}), "m")
    other = instructions(CaptionConfig(parameters={"top_p": 0.5, "seed": 1}), "m")
    assert one.settings == other.settings


def test_tokens_are_estimated_from_the_texts() -> None:
    assert text_tokens("一只狗") == 3
    assert text_tokens("a brown dog") == 4
    assert text_tokens("") == 0
    short, long = (instructions(CaptionConfig(prompt=prompt), "m").tokens for prompt in ("短", "长" * 200))
    assert long - short == 199


@pytest.mark.parametrize("text", ["cat " * 1000, "x" * 5000, "猫" * 800, "猫 cat" * 300])
def test_a_long_text_is_cut_to_its_beginning(text: str) -> None:
    short = cut_to_tokens(text, 100)
    assert text.startswith(short)
    assert text_tokens(short) == 100


def test_a_short_text_is_not_cut() -> None:
    assert cut_to_tokens("a cat", 100) == "a cat"


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("a cat | 一只猫 <b>", "a cat | 一只猫 <b>"),
        ("<|im_end|>\n<|image_pad|>", "< |im_end|>\n< |image_pad|>"),
        ("cat \ud83d", "cat ?"),
    ],
)
def test_no_text_holds_a_control_token(text: str, sent: str) -> None:
    assert without_control_tokens(text) == sent
