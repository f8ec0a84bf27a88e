from __future__ import annotations

import asyncio

import pytest

from tuku.providers.api.asking import ask_each


def test_answers_come_in_order_and_equal_keys_are_asked_for_once() -> None:
    asked: list[int] = []

    async def ask(position: int, question: str) -> str:
        asked.append(position)
        await asyncio.sleep(0.01 * (position % 3))
        return question.upper()

    keys = [*"abcabc", *"defghijkl"]
    assert ask_each(keys, lambda position: keys[position], ask) == [key.upper() for key in keys]
    assert sorted(asked) == list(range(3, 15))


def test_the_first_are_asked_while_the_rest_is_made() -> None:
    order: list[str] = []
    begun = asyncio.Event()

    def make(position: int) -> int:
        order.append(f"made {position}")
        return position

    async def ask(position: int, question: int) -> int:
        order.append(f"asked {question}")
        begun.set()
        return position

    def make_slowly(position: int) -> int:
        while position == 9 and not any(step.startswith("asked") for step in order):
            pass  # a second portion is made only once the first is under way, or this never ends
        return make(position)

    assert ask_each(range(20), make_slowly, ask) == list(range(20))
    assert order.index("asked 0") < order.index("made 9")


def test_what_breaks_the_making_is_raised() -> None:
    async def ask(position: int, question: int) -> int:
        return position

    def make(position: int) -> int:
        raise KeyError(position)

    with pytest.raises(KeyError):
        ask_each([1], make, ask)


def test_nothing_asked_is_nothing_answered() -> None:
    async def ask(position: int, question: int) -> int:
        raise AssertionError("nobody asks")

    assert ask_each([], lambda position: position, ask) == []
