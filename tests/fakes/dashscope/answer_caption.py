"""Captions, good and bad, in DashScope's shape and in OpenAI's."""

from __future__ import annotations

import json
from typing import Any

from fakes.dashscope.answer import Answer, Job
from fakes.dashscope.asked import CaptionAsked, text_tokens
from fakes.dashscope.captions import APOLOGIES, form_for, is_chinese, written
from fakes.dashscope.errors import invalid
from fakes.dashscope.rankings import candidates_in, ranked
from fakes.dashscope.usage import caption_usage, compatible_usage, shape_for

_GREETING = "您好，请问有什么可以帮您？"
_ONLY_ITEM = frozenset({0})


def answer_native(asked: CaptionAsked, job: Job) -> Answer:
    """``output.choices``."""
    text, finish_reason = _said(asked, job)
    content = [{"text": text}] if text or job.dice.random() < 0.5 else []  # both have been seen
    choice = {"finish_reason": finish_reason, "message": {"role": "assistant", "content": content}}
    usage = caption_usage(asked, text_tokens(text), shape_for(job.settings.usage_shape, job.dice))
    return _answer({"output": {"choices": [choice]}, "usage": usage, "request_id": job.request_id}, text, job)


def answer_compatible(asked: CaptionAsked, job: Job) -> Answer:
    """A ``chat.completion``."""
    text, finish_reason = _said(asked, job)
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": finish_reason, "message": message, "logprobs": None}
    usage = compatible_usage(asked, text_tokens(text), shape_for(job.settings.usage_shape, job.dice))
    head = {"id": f"chatcmpl-{job.request_id}", "object": "chat.completion", "created": 1_760_000_000}
    return _answer({**head, "model": asked.model.name, "choices": [choice], "usage": usage}, text, job)


def _answer(body: dict[str, Any], text: str, job: Job) -> Answer:
    if body["usage"] is None:
        del body["usage"]
    encoded = json.dumps(body, ensure_ascii=False).encode()
    return Answer(encoded, text_tokens(text), _ONLY_ITEM if job.fault else frozenset())


def _said(asked: CaptionAsked, job: Job) -> tuple[str, str]:
    """Text and finish_reason."""
    if asked.in_json and not job.settings.json_mode:
        raise invalid("response_format is not supported by this model.")
    if job.fault == "empty_content":
        return "", "stop"
    if job.fault == "exclamations":
        return "!" * 100, "stop"
    if job.fault == "refused_content":
        return job.dice.choice([("", "content_filter"), *((apology, "stop") for apology in APOLOGIES)])
    text = _text(asked, job)
    return (text[: len(text) * 3 // 5], "length") if job.fault == "length" else (text, "stop")


def _text(asked: CaptionAsked, job: Job) -> str:
    if not asked.pictures:
        return _GREETING
    if candidates_in(asked.prompt):
        return ranked(job.settings.ranking, job.settings.ranking_order, asked.prompt)
    form = form_for(job.settings.caption_form, asked.prompt, job.dice)
    chinese = form != "english" and (not asked.prompt or is_chinese(asked.prompt))
    return written(job.mind.describe(asked.pictures[0], chinese=chinese), form)
