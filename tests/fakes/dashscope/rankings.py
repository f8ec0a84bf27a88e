"""Rankings of numbered candidates, good ones and such as real models give."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

_COUNT = re.compile(r"numbered 1 to (\d+)")
_FORM = '{"ranking":'
_COMPLAINT = re.compile(r"could not be used: (.*)")


def candidates_in(prompt: str) -> int:
    """How many candidates a prompt wants ranked; 0 if it wants something else."""
    count = _COUNT.search(prompt)
    return int(count[1]) if count and _FORM in prompt else 0


def ranked(form: str, order: Sequence[int], prompt: str) -> str:
    """An answer.

    Args:
        form: one of `FORMS`, or one of them with ``_once``: a good one then where the prompt says what was wrong.
        order: the candidates, best first; none: the last one first.
        prompt: what was asked.
    """
    count = candidates_in(prompt)
    numbers = [number for number in order if number <= count] or list(range(count, 0, -1))
    name = form.removesuffix("_once")
    complaint = _COMPLAINT.search(prompt)
    if name != form and complaint is not None and _TOLD[name](complaint[1], numbers):
        name = "plain"
    return FORMS[name](numbers)


def _plain(numbers: Sequence[int]) -> str:
    entries = [{"number": number, "reason": f"candidate {number} fits at place {place}"} for place, number in
               enumerate(numbers, 1)]  # fmt: skip
    return json.dumps({"ranking": entries}, ensure_ascii=False)


def _dropped(numbers: Sequence[int]) -> str:
    return _plain(numbers[:-1])


def _invented(numbers: Sequence[int]) -> str:
    return _plain([*numbers[:-1], len(numbers) + 3])


def _doubled(numbers: Sequence[int]) -> str:
    return _plain([*numbers, numbers[0]])


def _prose(numbers: Sequence[int]) -> str:
    return f"I looked at all [{len(numbers)}] of them. Here you are:\n{_plain(numbers)}\nI hope {{this}} helps!"


def _fenced(numbers: Sequence[int]) -> str:
    return f"```json\n{_plain(numbers)}\n```"


def _no_json(numbers: Sequence[int]) -> str:
    return f"Candidate {numbers[0]} is the best by far, and the others are nice too."


FORMS: dict[str, Callable[[Sequence[int]], str]] = {
    "plain": _plain,
    "dropped": _dropped,
    "invented": _invented,
    "doubled": _doubled,
    "prose": _prose,
    "fenced": _fenced,
    "no_json": _no_json,
}

# Whether a complaint says what was wrong.
_TOLD: dict[str, Callable[[str, Sequence[int]], bool]] = {
    "dropped": lambda complaint, numbers: f"left out {numbers[-1]}" in complaint,
    "invented": lambda complaint, numbers: f"{len(numbers) + 3}" in complaint,
    "doubled": lambda complaint, numbers: f"named {numbers[0]} more than once" in complaint,
    "no_json": lambda complaint, numbers: "JSON" in complaint,
}
