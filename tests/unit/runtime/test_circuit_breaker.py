"""A model's service that has been given up is asked again by one at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from fakes.served import Clock
from tuku.errors import RowError, StoppedError
from tuku.runtime.circuit_breaker import CircuitBreaker, is_halt


def failing(code: str) -> StoppedError:
    error = StoppedError(code)
    error.__cause__ = RowError(code, "no more")
    return error


def halted() -> tuple[CircuitBreaker, Clock]:
    clock = Clock()
    breaker = CircuitBreaker(5.0, clock)
    with pytest.raises(StoppedError), breaker.guarded():
        raise failing("stopped")
    return breaker, clock


def test_what_is_a_halt():
    assert is_halt(failing("stopped"))
    assert not is_halt(failing("timeout"))
    assert not is_halt(StoppedError("disk full"))
    assert not is_halt(RowError("stopped", "no more"))


def test_one_request_that_failed_halts_nobody():
    breaker = CircuitBreaker(5.0, Clock())
    with pytest.raises(StoppedError), breaker.guarded():
        raise failing("timeout")
    with breaker.guarded():
        pass


def test_a_halt_is_told_at_once_and_looked_into_later():
    breaker, clock = halted()
    clock.now_s += 4.9
    with pytest.raises(StoppedError) as told, breaker.guarded():
        pytest.fail("asked")
    assert is_halt(told.value)
    clock.now_s += 0.2
    with breaker.guarded():
        pass
    with breaker.guarded():
        pass


@pytest.mark.parametrize("code", ["stopped", "timeout"])
def test_one_that_finds_it_still_away_tells_the_others(code):
    breaker, clock = halted()
    clock.now_s += 5
    with pytest.raises(StoppedError), breaker.guarded():
        raise failing(code)
    with pytest.raises(StoppedError, match=code), breaker.guarded():
        pytest.fail("asked")


def test_one_that_fails_otherwise_leaves_it_to_the_next():
    breaker, clock = halted()
    clock.now_s += 5
    with pytest.raises(ValueError, match="x"), breaker.guarded():
        raise ValueError("x")
    with breaker.guarded():
        pass


def test_the_others_do_not_wait_for_the_one():
    breaker, clock = halted()
    clock.now_s += 5
    inside, done = threading.Event(), threading.Event()

    def probe() -> None:
        with breaker.guarded():
            inside.set()
            assert done.wait(10)

    with ThreadPoolExecutor(1) as thread:
        probing = thread.submit(probe)
        assert inside.wait(10)
        with pytest.raises(StoppedError), breaker.guarded():
            pytest.fail("asked")
        done.set()
        probing.result()
    with breaker.guarded():
        pass
