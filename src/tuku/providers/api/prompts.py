"""What a vision-language model is told to write about a picture."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tuku.config import CaptionConfig

CAPTION_SYSTEM = "You are a helpful assistant."
CAPTION_PROMPT = (
    "用一句中文说清楚这张图片里有什么，不超过50个字；再从画面里挑出5个关键词，最重要的在前。\n"
    "只写下面两行，不要解释：\n"
    "描述：一句话\n"
    "关键词：词一、词二、词三、词四、词五"
)

# From version 3.5 on Qwen reasons before it answers unless it is told not to, which costs output tokens and seconds.
_THINKING_MODEL = re.compile(r"(?:^|/)qwen(?:3\.[5-9]|[4-9])", re.IGNORECASE)

_LAST_LATIN = "\u02ff"
CHAT_TEMPLATE_TOKENS = 20
"""Of the role markers around a system message and a question."""


@dataclass(frozen=True)
class Instructions:
    """Everything that is sent with each picture, and that a caption therefore depends on.

    Attributes:
        max_tokens: longest answer; None: as long as the service lets it be.
        parameters: of the model, sorted by name.
    """

    system: str
    prompt: str
    max_tokens: int | None
    parameters: tuple[tuple[str, bool | int | float | str], ...]

    @property
    def settings(self) -> tuple[tuple[str, str], ...]:
        """For `ModelDescription.settings`."""
        parameters = json.dumps(dict(self.parameters), ensure_ascii=False)
        return (
            ("system", self.system),
            ("prompt", self.prompt),
            ("max_tokens", str(self.max_tokens)),
            ("parameters", parameters),
        )

    @property
    def tokens(self) -> int:
        """About how many tokens these texts are."""
        return text_tokens(self.system) + text_tokens(self.prompt) + CHAT_TEMPLATE_TOKENS


def instructions(config: CaptionConfig, model: str) -> Instructions:
    """What the configuration asks for, with tuku's own prompt where it does not say.

    Args:
        config: of the captioner.
        model: its name; models of Qwen 3.5 and later are told not to think, unless `caption.parameters` says.
    """
    parameters = without_thinking(config.parameters, model)
    return Instructions(
        CAPTION_SYSTEM, config.prompt or CAPTION_PROMPT, config.max_tokens, tuple(sorted(parameters.items()))
    )


def without_thinking(
    parameters: Mapping[str, bool | int | float | str], model: str
) -> dict[str, bool | int | float | str]:
    """The configured parameters; models that reason by default are told not to, unless the configuration says."""
    return {"enable_thinking": False, **parameters} if _THINKING_MODEL.search(model) else dict(parameters)


def text_tokens(text: str) -> int:
    """About how many tokens a text is: one for each character beyond Latin, one for three of the others.

    That is on the high side of Qwen's tokenizer: an estimate that is corrected by what the service counts.
    """
    wide = sum(character > _LAST_LATIN for character in text)
    return wide + math.ceil((len(text) - wide) / 3)


def cut_to_tokens(text: str, most_tokens: int) -> str:
    """The beginning of a text, of about so many tokens at most (`text_tokens`, which is on the high side)."""
    if text_tokens(text) <= most_tokens:
        return text
    shortest, longest = 0, len(text)
    while longest - shortest > 1:
        middle = (shortest + longest) // 2
        if text_tokens(text[:middle]) <= most_tokens:
            shortest = middle
        else:
            longest = middle
    return text[:shortest]


def without_control_tokens(text: str) -> str:
    """The text, in which nothing is left that a chat model would take for one of its control tokens (``<|im_end|>``).

    Half surrogate pairs, which no encoding holds, become question marks.
    """
    return text.encode("utf-8", "replace").decode("utf-8").replace("<|", "< |")
