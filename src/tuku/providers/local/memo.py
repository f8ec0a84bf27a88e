"""Remembering answers of a model: each is computed once, even when two threads ask at the same time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(Generic[K, V]):
    """The answers asked for last.

    Args:
        entries: how many are kept at most.
    """

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._answers: OrderedDict[K, Future[V]] = OrderedDict()
        self._lock = Lock()

    def get(self, keys: Sequence[K], compute: Callable[[list[int]], Sequence[V]]) -> list[V]:
        """One answer for each key, in order.

        Args:
            keys: what is asked for; equal keys have equal answers.
            compute: given positions in `keys`, returns their answers in the same order. Called at most once, with
                one position for each key that nobody has asked for yet.

        Raises:
            Exception: whatever `compute` raised, here or in the thread that computes a shared key; nothing of that
                call is kept.
        """
        asked, mine = self._claim(keys)
        if mine:
            try:
                answers = compute(mine)
                for position, answer in zip(mine, answers, strict=True):
                    asked[position].set_result(answer)
            except BaseException as error:
                self._give_up([(keys[i], asked[i]) for i in mine if not asked[i].done()], error)
                raise
        # Only now wait for others: a thread that waits has done its own share, so no two wait for each other.
        return [future.result() for future in asked]

    def _claim(self, keys: Sequence[K]) -> tuple[list[Future[V]], list[int]]:
        asked: list[Future[V]] = []
        mine: list[int] = []
        with self._lock:
            for position, key in enumerate(keys):
                future = self._answers.get(key)
                if future is None:
                    future = self._answers[key] = Future()
                    mine.append(position)
                self._answers.move_to_end(key)
                asked.append(future)
            while len(self._answers) > self._entries:
                self._answers.popitem(last=False)
        return asked, mine

    def _give_up(self, claims: list[tuple[K, Future[V]]], error: BaseException) -> None:
        with self._lock:
            for key, future in claims:
                if self._answers.get(key) is future:
                    del self._answers[key]
                future.set_exception(error)
