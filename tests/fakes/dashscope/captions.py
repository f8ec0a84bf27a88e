"""One description in the forms in which real models put it."""

from __future__ import annotations

import json
import random

from fakes.dashscope.minds import Words

FORMS = ("plain", "keyword_line", "numbered", "json", "fenced_json", "english")

APOLOGIES = ("很抱歉，我无法描述这张图片的内容。", "I'm sorry, but I can't assist with that request.")


def form_for(setting: str, prompt: str, dice: random.Random) -> str:
    """The form of one answer: as the prompt asks, drawn, or always the same."""
    if setting == "by_seed":
        return dice.choice(FORMS)
    if setting != "prompt":
        return setting
    if "json" in prompt.lower():
        return "json"
    return "plain" if not prompt or is_chinese(prompt) else "english"


def is_chinese(text: str) -> bool:
    """Whether there is a Chinese character in it."""
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def written(words: Words, form: str) -> str:
    """The text of an answer in this form."""
    keywords = "，".join(words.keywords)
    if form == "plain":
        return f"{words.sentence}\n{keywords}"
    if form == "keyword_line":
        return f"描述：{words.sentence}\n\n关键词：{keywords}"
    if form == "numbered":
        numbered = "\n".join(f"{number}. {keyword}" for number, keyword in enumerate(words.keywords, 1))
        return f"{words.sentence}\n\n{numbered}"
    if form == "english":
        return f"{words.sentence}\nKeywords: {', '.join(words.keywords)}"
    fields = json.dumps({"description": words.sentence, "keywords": words.keywords}, ensure_ascii=False)
    return fields if form == "json" else f"```json\n{fields}\n```"
