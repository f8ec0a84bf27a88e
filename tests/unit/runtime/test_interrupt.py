"""Signals: one exception, wherever the job is, and the handlers are put back."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator

import pytest

from tuku.errors import InterruptedRunError
from tuku.runtime.interrupt import interruptible

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def _handlers_are_put_back() -> Iterator[None]:
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    after = [signal.getsignal(number) for number in SIGNALS]
    for number, handler in zip(SIGNALS, before, strict=True):
        signal.signal(number, handler)
    assert after == before


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_becomes_an_interrupted_run(number: signal.Signals) -> None:
    with pytest.raises(InterruptedRunError, match=number.name) as error, interruptible():
        send(number)
    assert error.value.exit_code == 130
    assert "Run the same command again" in error.value.remedy


def test_no_library_on_the_way_can_swallow_it() -> None:
    def library() -> None:
        try:
            send(signal.SIGTERM)
        except Exception as error:  # noqa: BLE001  as libraries do
            pytest.fail(f"swallowed {error!r}")

    with pytest.raises(InterruptedRunError), interruptible():
        library()


def test_a_signal_during_the_cleaning_up_is_heard_too() -> None:
    def job() -> None:
        try:
            send(signal.SIGINT)
        finally:
            send(signal.SIGTERM)

    with pytest.raises(InterruptedRunError, match="SIGTERM"), interruptible():
        job()


def test_the_handler_that_ray_puts_in_our_place_is_understood() -> None:
    def job() -> None:
        signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(number))
        send(signal.SIGTERM)

    with pytest.raises(InterruptedRunError, match="SIGTERM"), interruptible():
        job()


def test_any_other_exit_stays_an_exit() -> None:
    with pytest.raises(SystemExit) as stop, interruptible():
        sys.exit(3)
    assert stop.value.code == 3


def test_without_a_signal_nothing_happens_and_errors_pass() -> None:
    with interruptible():
        pass
    with pytest.raises(KeyError), interruptible():
        raise KeyError("a")


def test_another_thread_is_left_alone() -> None:
    seen: list[bool] = []

    def work() -> None:
        with interruptible():
            seen.append(signal.getsignal(signal.SIGTERM) is before)

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(5)
    assert seen == [True]
