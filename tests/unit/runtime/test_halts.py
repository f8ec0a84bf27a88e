"""A model's service that has been given up is asked again by one at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from fakes.served import Clock
from tuku.errors import RowError, StoppedError
from tuku.runtime.halts import Halts, is_halt


def failing(code: str) -> StoppedError:
    error = StoppedError(code)
    error.__cause__ = RowError(code, "no more")
    return error


def halted() -> tuple[Halts, Clock]:
    clock = Clock()
    halts = Halts(5.0, clock)
    with pytest.raises(StoppedError), halts.heeded():
        raise failing("stopped")
    return halts, clock


def test_what_is_a_halt():
    assert is_halt(failing("stopped"))
    assert not is_halt(failing("timeout"))
    assert not is_halt(StoppedError("disk full"))
    assert not is_halt(RowError("stopped", "no more"))


def test_one_request_that_failed_halts_nobody():
    halts = Halts(5.0, Clock())
    with pytest.raises(StoppedError), halts.heeded():
        raise failing("timeout")
    with halts.heeded():
        pass


def test_a_halt_is_told_at_once_and_looked_into_later():
    halts, clock = halted()
    clock.now_s += 4.9
    with pytest.raises(StoppedError) as told, halts.heeded():
        pytest.fail("asked")
    assert is_halt(told.value)
    clock.now_s += 0.2
    with halts.heeded():
        pass
    with halts.heeded():
        pass


@pytest.mark.parametrize("code", ["stopped", "timeout"])
def test_one_that_finds_it_still_away_tells_the_others(code):
    halts, clock = halted()
    clock.now_s += 5
    with pytest.raises(StoppedError), halts.heeded():
        raise failing(code)
    with pytest.raises(StoppedError, match=code), halts.heeded():
        pytest.fail("asked")


def test_one_that_fails_otherwise_leaves_it_to_the_next():
    halts, clock = halted()
    clock.now_s += 5
    with pytest.raises(ValueError, match="x"), halts.heeded():
        raise ValueError("x")
    with halts.heeded():
        pass


def test_the_others_do_not_wait_for_the_one():
    halts, clock = halted()
    clock.now_s += 5
    inside, done = threading.Event(), threading.Event()

    def probe() -> None:
        with halts.heeded():
            inside.set()
            assert done.wait(10)

    with ThreadPoolExecutor(1) as thread:
        probing = thread.submit(probe)
        assert inside.wait(10)
        with pytest.raises(StoppedError), halts.heeded():
            pytest.fail("asked")
        done.set()
        probing.result()
    with halts.heeded():
        pass
