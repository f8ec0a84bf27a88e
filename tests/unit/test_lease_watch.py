"""Watching a lease: time passes only while one looks."""

from __future__ import annotations

import time

import pytest

from tuku.lease_watch import USUAL_TIMES, LeaseTimes, Watch


class Clock:
    """`time.monotonic`, at will."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def watch(self, watch: Watch, content: bytes, seconds: float, step_s: float) -> None:
        """Look at the same content for so long."""
        for _ in range(round(seconds / step_s)):
            self.now += step_s
            watch.look(content)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def test_a_holder_gives_up_before_others_take_over() -> None:
    assert USUAL_TIMES.beat_s < USUAL_TIMES.lost_after_s
    # It notices with its next beat, which may have to wait for the lock of a swap.
    assert USUAL_TIMES.lost_after_s + 2 * USUAL_TIMES.beat_s < USUAL_TIMES.dead_after_s


def test_what_was_seen_once_is_neither_alive_nor_dead(clock: Clock) -> None:
    watch = Watch(LeaseTimes())
    watch.look(b"1")
    assert (watch.alive, watch.dead) == (False, False)


def test_a_change_is_life(clock: Clock) -> None:
    watch = Watch(LeaseTimes())
    watch.look(b"1")
    clock.watch(watch, b"1", 14, 0.25)
    watch.look(b"2")
    assert (watch.alive, watch.dead) == (True, False)
    clock.watch(watch, b"2", 14, 0.25)
    assert (watch.alive, watch.dead) == (True, False)


def test_no_change_for_long_is_death_also_of_who_was_alive(clock: Clock) -> None:
    watch = Watch(LeaseTimes())
    watch.look(b"1")
    watch.look(b"2")
    clock.watch(watch, b"2", 14.75, 0.25)
    assert not watch.dead
    clock.watch(watch, b"2", 0.25, 0.25)
    assert watch.dead


def test_time_in_which_nobody_looked_proves_nothing(clock: Clock) -> None:
    watch = Watch(LeaseTimes())
    watch.look(b"1")
    clock.now += 3_600  # This machine slept, and the holder's may have slept with it.
    watch.look(b"1")
    assert not watch.dead
    clock.watch(watch, b"1", 14, 0.25)
    assert watch.dead
