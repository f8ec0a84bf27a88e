from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from tuku.providers.local.memo import Memo


def test_only_what_is_new_is_computed_and_each_key_once() -> None:
    memo: Memo[str, str] = Memo(10)
    asked: list[list[int]] = []

    def compute(positions: list[int]) -> list[str]:
        asked.append(positions)
        return [f"{p}" for p in positions]

    assert memo.get(["a", "b", "a"], compute) == ["0", "1", "0"]
    assert memo.get(["c", "a"], compute) == ["0", "0"]
    assert memo.get([], compute) == []
    assert asked == [[0, 1], [0]]


def test_what_was_not_asked_for_the_longest_is_forgotten() -> None:
    memo: Memo[str, int] = Memo(2)
    for key in ("a", "b", "a", "c"):
        memo.get([key], lambda positions: [0])
    computed: list[str] = []
    for key in ("a", "c", "b"):
        memo.get([key], lambda positions, key=key: computed.append(key) or [0])
    assert computed == ["b"]


def test_more_keys_than_it_keeps_are_all_answered() -> None:
    memo: Memo[int, int] = Memo(3)
    assert memo.get(list(range(100)), lambda positions: [p * 2 for p in positions]) == [n * 2 for n in range(100)]
    assert len(memo._answers) == 3


def test_threads_that_ask_at_once_share_one_computation() -> None:
    memo: Memo[int, int] = Memo(100)
    together, computed = Barrier(8), []

    def ask(thread: int) -> list[int]:
        together.wait()
        keys = list(range(20)) if thread % 2 else list(range(19, -1, -1))
        answers = memo.get(keys, lambda positions: [computed.append(keys[p]) or keys[p] for p in positions])
        assert answers == keys
        return answers

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
    assert sorted(computed) == list(range(20))


def test_a_failure_reaches_all_who_wait_and_is_not_kept() -> None:
    memo: Memo[str, int] = Memo(10)
    started, go_on = Event(), Event()

    def fail(positions: list[int]) -> list[int]:
        started.set()
        go_on.wait(10)
        raise RuntimeError("no model")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(memo.get, ["a"], fail)
        started.wait(10)
        second = pool.submit(memo.get, ["a"], lambda positions: [2])
        go_on.set()
        with pytest.raises(RuntimeError, match="no model"):
            first.result(10)
        # The second either waited for the first, or came after it and computed.
        assert second.exception(10) is not None or second.result() == [2]
    assert memo.get(["a"], lambda positions: [1])[0] in {1, 2}


def test_an_answer_too_few_is_an_error() -> None:
    memo: Memo[str, int] = Memo(10)
    with pytest.raises(ValueError, match="shorter"):
        memo.get(["a", "b"], lambda positions: [1])
    assert memo.get(["b"], lambda positions: [3]) == [3]
