"""What a request used, in the shapes in which the service says it. Input always includes pictures."""

from __future__ import annotations

import random
from typing import Any

from fakes.dashscope.asked import Asked

SHAPES = ("split", "details", "total", "missing")


def shape_for(setting: str, dice: random.Random) -> str:
    """The shape of one answer: drawn, or always the same."""
    return dice.choice(SHAPES) if setting == "by_seed" else setting


def caption_usage(asked: Asked, output_tokens: int, shape: str) -> dict[str, Any] | None:
    """None: nothing is said."""
    total = asked.input_tokens + output_tokens
    shapes: dict[str, dict[str, Any]] = {
        "split": {
            "input_tokens": asked.input_tokens,
            "output_tokens": output_tokens,
            "image_tokens": asked.image_tokens,
        },
        "details": {
            "input_tokens": asked.input_tokens,
            "output_tokens": output_tokens,
            "total_tokens": total,
            "input_tokens_details": {"text_tokens": asked.text_tokens, "image_tokens": asked.image_tokens},
            "output_tokens_details": {"text_tokens": output_tokens},
        },
        "total": {"total_tokens": total},
    }
    return shapes.get(shape)


def embedding_usage(asked: Asked, shape: str) -> dict[str, Any] | None:
    """None: nothing is said. The first shape has no `input_tokens`: they are the sum of the two it has."""
    details = {"text_tokens": asked.text_tokens, "image_tokens": asked.image_tokens}
    shapes: dict[str, dict[str, Any]] = {
        "split": {**details, "image_count": len(asked.pictures), "duration": 0},
        "details": {
            "input_tokens": asked.input_tokens,
            "input_tokens_details": details,
            "output_tokens": 0,
            "total_tokens": asked.input_tokens,
        },
        "total": {"total_tokens": asked.input_tokens},
    }
    return shapes.get(shape)


def compatible_usage(asked: Asked, output_tokens: int, shape: str) -> dict[str, Any] | None:
    """In OpenAI's names; None: nothing is said."""
    usage: dict[str, Any] = {
        "prompt_tokens": asked.input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": asked.input_tokens + output_tokens,
    }
    if shape == "details":
        usage["prompt_tokens_details"] = {"text_tokens": asked.text_tokens, "image_tokens": asked.image_tokens}
    return None if shape == "missing" else usage
