"""Signals: one exception, wherever the job is, and the handlers are put back."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from tuku.errors import InterruptedRunError
from tuku.runtime.interrupt import _Watch, gently, interruptible

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
            time.sleep(0.3)
            send(signal.SIGTERM)

    with pytest.raises(InterruptedRunError, match="SIGTERM"), interruptible():
        job()


def test_the_handler_that_ray_puts_in_our_place_is_understood() -> None:
    def job() -> None:
        signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(number))
        send(signal.SIGTERM)

    with pytest.raises(InterruptedRunError, match="SIGTERM"), interruptible():
        job()


def test_what_ray_makes_of_it_where_it_waits_in_cpp_is_understood() -> None:
    def job() -> None:
        try:
            send(signal.SIGTERM)
        except KeyboardInterrupt:
            raise KeyboardInterrupt from None

    with pytest.raises(InterruptedRunError, match="SIGTERM"), interruptible():
        job()


class Swallows:
    def __del__(self) -> None:
        send(signal.SIGTERM)
        time.sleep(0.01)


class Fails:
    def __del__(self) -> None:
        raise OSError("disk full")


def test_a_signal_that_got_lost_comes_again_and_nothing_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    printed: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: printed.append(str(lost.exc_value)))

    def job() -> None:
        Fails()
        Swallows()
        time.sleep(20)

    started = time.monotonic()
    with pytest.raises(InterruptedRunError, match="SIGTERM"), interruptible():
        job()
    assert time.monotonic() - started < 10
    Fails()
    assert printed == ["disk full", "disk full"]  # of other errors Python tells as ever


def test_a_signal_that_comes_when_the_thread_is_through_counts_as_well() -> None:
    watch = _Watch(None, 0.0)
    with watch.keeping():
        pass
    watch.join()
    watch.raise_late()
    watch._news.put(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        watch.raise_late()


def test_cleaning_up_is_not_disturbed_by_it() -> None:
    cleaned: list[str] = []

    def job() -> None:
        try:
            send(signal.SIGTERM)
            send(signal.SIGTERM)  # as `timeout` does
        finally:
            time.sleep(2.5)
            cleaned.append("all")

    with pytest.raises(InterruptedRunError), interruptible():
        job()
    assert cleaned == ["all"]


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


class Run:
    """Is told of a signal."""

    def __init__(self, *, waits: bool) -> None:
        self.told: list[str] = []
        self.heard = threading.Event()
        self._waits = waits

    def stop(self, error: InterruptedRunError) -> bool:
        self.told.append(error.message)
        self.heard.set()
        return self._waits


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_is_passed_on_and_the_block_goes_on(number: signal.Signals) -> None:
    run = Run(waits=True)
    with interruptible(), gently(run.stop, grace_s=30):
        send(number)
        assert run.heard.wait(5)
    assert run.told == [f"Stopped by {number.name}."]


def test_a_signal_of_the_last_moment_is_passed_on_before_the_block_is_left() -> None:
    run = Run(waits=True)
    for _ in range(50):
        with interruptible(), gently(run.stop, grace_s=30):
            send(signal.SIGTERM)
    assert len(run.told) == 50


def test_a_second_signal_raises_at_once_even_if_the_first_is_still_being_passed_on() -> None:
    release = threading.Event()

    def slow(_error: InterruptedRunError) -> bool:
        return release.wait(30)

    def job() -> None:
        with gently(slow, grace_s=30):
            send(signal.SIGINT)
            time.sleep(0.3)
            send(signal.SIGTERM)
            pytest.fail("went on")

    started = time.monotonic()
    try:
        with pytest.raises(InterruptedRunError, match="SIGTERM"), interruptible():
            job()
        assert time.monotonic() - started < 5
    finally:
        release.set()


def test_the_same_signal_twice_in_a_moment_is_one() -> None:
    run = Run(waits=True)
    with interruptible(), gently(run.stop, grace_s=30):
        for _ in range(5):
            send(signal.SIGTERM)
        assert run.heard.wait(5)
    assert len(run.told) == 1


@pytest.mark.parametrize(("waits", "grace_s"), [(True, 0.2), (True, 0.0), (False, 30.0)])
def test_it_raises_when_the_time_is_over_or_nothing_is_waited_for(waits: bool, grace_s: float) -> None:
    def job() -> None:
        with gently(Run(waits=waits).stop, grace_s):
            send(signal.SIGTERM)
            time.sleep(20)

    started = time.monotonic()
    with pytest.raises(InterruptedRunError, match="SIGTERM"), interruptible():
        job()
    assert time.monotonic() - started < 5


def test_after_the_gentle_part_a_signal_raises_as_before_it() -> None:
    run = Run(waits=True)

    def job() -> None:
        with gently(run.stop, grace_s=30):
            pass
        send(signal.SIGINT)

    with pytest.raises(InterruptedRunError), interruptible():
        job()
    assert run.told == []


def test_an_error_passes_and_nobody_is_left_waiting() -> None:
    before = threading.active_count()
    with pytest.raises(KeyError), gently(Run(waits=True).stop, grace_s=30):
        raise KeyError("a")
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before
