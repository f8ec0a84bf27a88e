from __future__ import annotations

import asyncio
import time

import pytest

from tuku.errors import RowError
from tuku.retry import WITHOUT_WAITING, Excuses, RetryPolicy, ThrottledError

TRANSIENT = RowError("timeout", "too slow", retryable=True)
LASTING = RowError("http_404", "gone")


class Work:
    """Gives the outcomes one after the other and notes when it was asked."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.times = []

    def __call__(self):
        self.times.append(time.perf_counter())
        return self.outcomes[len(self.times) - 1]

    async def on_a_loop(self):
        return self()


def run(policy, work, on_a_loop):
    return asyncio.run(policy.call_async(work.on_a_loop)) if on_a_loop else policy.call(work)


@pytest.mark.parametrize("on_a_loop", [False, True])
@pytest.mark.parametrize(
    ("outcomes", "calls", "code"),
    [
        (["fine"], 1, None),
        ([TRANSIENT, "fine"], 2, None),
        ([TRANSIENT, LASTING], 2, "http_404"),
        ([LASTING], 1, "http_404"),
        ([TRANSIENT] * 4, 3, "timeout"),
    ],
)
def test_only_transient_failures_are_tried_again(monkeypatch, on_a_loop, outcomes, calls, code):
    monkeypatch.setenv(WITHOUT_WAITING, "1")
    work = Work(*outcomes)
    outcome = run(RetryPolicy(attempts=3, first_wait_s=60, max_wait_s=60), work, on_a_loop)
    assert len(work.times) == calls
    assert getattr(outcome, "code", None) == code
    assert getattr(outcome, "attempts", calls) == calls


def test_an_exception_of_a_broken_job_is_not_caught(monkeypatch):
    def broken():
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        RetryPolicy().call(broken)


def test_waits_are_short_and_never_longer_than_allowed():
    work = Work(TRANSIENT, TRANSIENT, TRANSIENT, "fine")
    started = time.perf_counter()
    assert RetryPolicy(attempts=4, first_wait_s=0.01, max_wait_s=0.02).call(work) == "fine"
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize(("asked_s", "least_s"), [(0.1, 0.1), (3600.0, 0.2)])
def test_who_says_when_to_come_back_is_obeyed_within_limits(asked_s, least_s):
    work = Work(ThrottledError("http_429", "later", retryable=True, retry_after_s=asked_s), "fine")
    RetryPolicy(first_wait_s=0.001, max_wait_s=0.2).call(work)
    waited = work.times[1] - work.times[0]
    assert least_s <= waited < least_s + 0.2


def test_no_attempt_begins_after_the_total():
    work = Work(*[TRANSIENT] * 100)
    outcome = RetryPolicy(attempts=100, first_wait_s=0.05, max_wait_s=0.05, max_total_s=0.2).call(work)
    assert 2 <= outcome.attempts < 50
    assert work.times[-1] - work.times[0] < 0.3


def test_what_is_excused_does_not_count(monkeypatch):
    monkeypatch.setenv(WITHOUT_WAITING, "1")
    work, excuses = Work(*[TRANSIENT] * 20), Excuses()

    async def excusing():
        outcome = work()
        if len(work.times) in {1, 3, 4}:
            excuses.attempts += 1
        return outcome

    outcome = asyncio.run(RetryPolicy(attempts=3).call_async(excusing, excuses))
    assert (len(work.times), outcome.attempts) == (6, 3)


def test_excused_seconds_do_not_count():
    work, excuses = Work(*[TRANSIENT] * 50), Excuses()

    async def excusing():
        await asyncio.sleep(0.02)
        excuses.seconds += 0.02
        return work()

    policy = RetryPolicy(attempts=10, first_wait_s=0.0, max_total_s=0.1)
    assert asyncio.run(policy.call_async(excusing, excuses)).attempts == 10
    assert asyncio.run(policy.call_async(excusing)).attempts < 10
