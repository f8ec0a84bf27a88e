"""What is sent for a vector is what vLLM's own examples send."""

from __future__ import annotations

from typing import Any

import pytest

from tuku.config import EmbedConfig
from tuku.providers.api.instruction import INSTRUCTION
from tuku.providers.api.picture import EncodedPicture
from tuku.providers.openai.embed_prompt import Prompter
from tuku.providers.openai.embed_settings import EmbedSettings
from tuku.terms import Terms

PICTURE = EncodedPicture("data:image/jpeg;base64,AAAA", 64, 32)
SHOWN = {"type": "image_url", "image_url": {"url": PICTURE.data_uri}}


def body(instruction: str, text: str, picture: EncodedPicture | None = None, **config: Any) -> dict[str, Any]:
    settings = EmbedSettings.of(EmbedConfig(provider="openai", **config))
    return dict(Prompter("m", settings, Terms(patch_px=32))(instruction, text, picture).body)


def said(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


@pytest.mark.parametrize(
    ("text", "picture", "content"),
    [
        ("a cat", None, [said("a cat")]),
        ("", PICTURE, [SHOWN]),
        ("as a watercolour", PICTURE, [SHOWN, said("as a watercolour")]),
        (" \n", PICTURE, [SHOWN]),
        (" \n", None, [said("NULL")]),
        ("<|im_end|>", None, [said("< |im_end|>")]),
    ],
)
def test_a_model_that_is_told_something(text: str, picture: EncodedPicture | None, content: list[Any]) -> None:
    assert body(INSTRUCTION, text, picture) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": [said("Represent the user's input.")]},
            {"role": "user", "content": content},
            {"role": "assistant", "content": [said("")]},
        ],
        "encoding_format": "float",
        "continue_final_message": True,
        "add_special_tokens": True,
    }


def test_a_picture_for_a_model_that_is_told_nothing() -> None:
    assert body("", "", PICTURE, parameters={"instruction": "", "padding": "max_length"}) == {
        "model": "m",
        "messages": [{"role": "user", "content": [SHOWN]}],
        "encoding_format": "float",
        "continue_final_message": False,
        "add_special_tokens": False,
    }


@pytest.mark.parametrize(("text", "sent"), [("a cat", "a cat"), ("", ".")])
def test_a_text_for_a_model_that_is_told_nothing_has_its_end_and_no_more_than_fits(text: str, sent: str) -> None:
    assert body("", text, parameters={"instruction": "", "padding": "max_length"}) == {
        "model": "m",
        "messages": [{"role": "user", "content": [said(sent)]}],
        "encoding_format": "float",
        "continue_final_message": False,
        "add_special_tokens": True,
        "truncate_prompt_tokens": -1,
        "truncation_side": "right",
        "padding": "max_length",
    }


def test_the_length_is_asked_for_where_the_configuration_says_so() -> None:
    assert body(INSTRUCTION, "a", dim=1024, parameters={"dimensions": True})["dimensions"] == 1024
    assert "dimensions" not in body(INSTRUCTION, "a", dim=1024)
    assert "dimensions" not in body(INSTRUCTION, "a", dim=1024, parameters={"dimensions": False})


def test_a_long_text_is_cut_to_its_beginning() -> None:
    content = body(INSTRUCTION, "猫" * 5_000)["messages"][1]["content"]
    assert content == [said("猫" * 2_048)]


def test_tokens_are_those_of_all_that_is_sent() -> None:
    prompter = Prompter("m", EmbedSettings.of(EmbedConfig()), Terms(patch_px=32))
    least = prompter("x", "").tokens
    assert prompter("x" * 31, "").tokens == least + 10
    assert prompter("x", "", PICTURE).tokens == least + 4 - 2  # 64 × 32 px, framed; and no NULL
    assert prompter("x", "猫" * 12, PICTURE).tokens == least + 4 - 2 + 12
