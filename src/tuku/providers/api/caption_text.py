"""From what a model wrote to a caption and its keywords.

Models are told a form and return another one: JSON, fenced or broken; labels in any language; lists; one line.
"""

from __future__ import annotations

import re

from tuku.protocols import Caption
from tuku.providers.api.caption_json import from_json
from tuku.providers.api.caption_words import as_keywords, as_sentence, looks_like_keywords

_MAX_CHARACTERS = 8_000  # a caption has a hundred
_BLANKS = re.compile(r"[^\S\n]+")
_NEW_LINES = re.compile(r"(?: ?\n ?)+")
_THOUGHTS = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_FENCE = re.compile(r"^\s*```\w*\s*$", re.MULTILINE)
_MARKDOWN = re.compile(r"\*\*|__|`|^[ \t]*#+(?=[ \t])|^[ \t]*>[ \t]?", re.MULTILINE)
# 1. | 2) | (3) | 一、 | - | • before a line; not the 3 of 3.5
_BULLET = re.compile(
    r"^[ \t]*(?:[（(]?(?:\d{1,2}|[一二三四五六七八九十])[)）.、:：](?!\d)|[-*•·▪–—](?=\s|\w))[ \t]*", re.MULTILINE
)

_ADJECTIVES = (
    r"(?:(?:图片|图像|照片|画面|内容|整体|简短|简要|中文|英文|核心|主要|相关|image|picture|photo|short|brief|main|top|"
    r"five|the|\d{1,2}|[一二三四五六七八九十])[ \t]*个?的?[ \t]*){0,4}"
)
_DESCRIPTION = r"描述|说明|简介|概述|标题|descriptions?|captions?|summary"
_KEYWORDS = r"关键词语?|关键字|标签|key[ \t-]?words?|tags?"
_LABEL = re.compile(
    r"(?:^|(?<=[\s。．.;；!！?？,，{])|(?=【))[ \t]*[\"'“【\[]?"
    rf"{_ADJECTIVES}(?:(?P<description>{_DESCRIPTION})|(?P<keywords>{_KEYWORDS}))"
    r"[ \t]*(?:[（(][^（()）\n]{0,20}[)）])?[ \t]*"
    r"(?:[\"'”】\]]?[ \t]*[:：]|[】\]]|[ \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)
_SENTENCE_END = re.compile(r"[。！？!?]|\.(?=\s)")


def parse_caption(text: str) -> Caption | None:
    """The caption in a model's answer.

    Args:
        text: the whole answer.

    Returns:
        Description and keywords, each keyword once; no keywords where there are none to be told from the description.
        None if there is no description.
    """
    text = _NEW_LINES.sub("\n", _BLANKS.sub(" ", _THOUGHTS.sub("", text)[:_MAX_CHARACTERS]))
    found = from_json(text)
    if found is None:
        found = _from_prose(_FENCE.sub("", text).strip())
    description, keywords = as_sentence(found[0]), as_keywords(found[1])
    return Caption(description, keywords) if description else None


def _from_prose(text: str) -> tuple[str, str]:
    """Description and keywords, raw, of an answer that is not JSON."""
    text = _BULLET.sub("", _MARKDOWN.sub("", text))
    labels = list(_LABEL.finditer(text))
    keyword_label = next((label for label in labels if label["keywords"]), None)
    description_label = next((label for label in labels if label["description"]), None)
    if keyword_label is None:
        return _without_labels(text[description_label.end() :] if description_label else text)
    after = labels[labels.index(keyword_label) + 1 :]
    keywords = text[keyword_label.end() : after[0].start() if after else len(text)]
    if description_label is None:
        return text[: keyword_label.start()], keywords
    if description_label.start() > keyword_label.start():
        return text[description_label.end() :], keywords
    return text[description_label.end() : keyword_label.start()], keywords


def _without_labels(text: str) -> tuple[str, str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].endswith((":", "：")):
        del lines[0]  # "Here is what I see:"
    if len(lines) > 1:
        if looks_like_keywords("\n".join(lines[1:]), least=2):
            return lines[0], "\n".join(lines[1:])
        if looks_like_keywords(lines[-1], least=2):
            return " ".join(lines[:-1]), lines[-1]
        return " ".join(lines), ""
    for end in [end.end() for end in _SENTENCE_END.finditer(text)][-1:-3:-1]:  # the very last may end the list
        if looks_like_keywords(text[end:]):
            return text[:end], text[end:]
    return text, ""
