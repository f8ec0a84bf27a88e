"""Many questions to a service at once, equal ones once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from typing import TypeVar

from tuku.providers.api.loop import service_loop, wait_all

QuestionT = TypeVar("QuestionT")
AnswerT = TypeVar("AnswerT")

_AT_A_TIME = 8  # one by one, the threads would wake each other for every question: a fifth more CPU for a call


def ask_each(
    keys: Sequence[Hashable],
    make: Callable[[int], QuestionT],
    ask: Callable[[int, QuestionT], Awaitable[AnswerT]],
) -> list[AnswerT]:
    """One answer for each key, in order.

    Questions are made in the calling thread, some at a time: the first are under way while it makes the rest.

    Args:
        keys: of what is asked for; for equal ones one question is made, and its answer is that of all.
        make: the question for the key at a position.
        ask: asks it, on `service_loop`; gets the position too.
    """
    distinct = {key: position for position, key in enumerate(keys)}
    positions = list(distinct.values())
    futures: list[Future[list[AnswerT]]] = []
    try:
        for start in range(0, len(positions), _AT_A_TIME):
            questions = {position: make(position) for position in positions[start : start + _AT_A_TIME]}
            futures.append(service_loop().submit(_all(questions, ask)))
        answers = [answer for some in wait_all(futures) for answer in some]
    except BaseException:
        for future in futures:
            future.cancel()
        raise
    by_key = dict(zip(distinct, answers, strict=True))
    return [by_key[key] for key in keys]


async def _all(
    questions: Mapping[int, QuestionT], ask: Callable[[int, QuestionT], Awaitable[AnswerT]]
) -> list[AnswerT]:
    return await asyncio.gather(*(ask(position, question) for position, question in questions.items()))
