from __future__ import annotations

import asyncio
import time

import pytest

from fakes.recording_quota import RecordingQuota
from tuku.config import RetryConfig
from tuku.errors import RowError, StoppedError
from tuku.protocols import ModelDescription
from tuku.providers.api.caller import Answer, Caller
from tuku.providers.api.meter import Tokens
from tuku.providers.api.verdicts import Throttled, Unavailable
from tuku.providers.factory import Access
from tuku.retry import WITHOUT_WAITING
from tuku.terms import Charge, Price, Terms

GUESS = Tokens(100, 10)
FINE = Answer("fine", Tokens(200, 20), "r-fine")
BUSY = Throttled("throttled", "too many", request_id="r-busy", kind="tokens", retry_after_s=0.01)
BROKEN = Unavailable("connection_reset", "broke off")
SLOW = RowError("download_failed", "too slow", retryable=True, request_id="r-slow")
BAD = RowError("invalid_parameter", "no", request_id="r-bad")


class Service:
    """Gives the replies one after the other, the last one for ever."""

    def __init__(self, *replies, takes_s=0.0):
        self.replies, self.takes_s = list(replies), takes_s
        self.asked = self.in_flight = self.in_flight_peak = 0

    async def __call__(self):
        self.asked += 1
        self.in_flight += 1
        self.in_flight_peak = max(self.in_flight, self.in_flight_peak)
        try:
            await asyncio.sleep(self.takes_s)
        finally:
            self.in_flight -= 1
        reply = self.replies[min(self.asked, len(self.replies)) - 1]
        if isinstance(reply, Exception) and not isinstance(reply, RowError | StoppedError):
            raise reply
        return reply


@pytest.fixture
def quota():
    return RecordingQuota()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setenv(WITHOUT_WAITING, "1")


def caller_of(quota, concurrency=4, **retry):
    terms = Terms(price=Price(1.0, 10.0), concurrency=concurrency)
    return Caller(ModelDescription("some", "model", "1", terms=terms), Access(quota, RetryConfig(**retry)))


def request(quota, service, **retry):
    caller = caller_of(quota, **retry)
    return asyncio.run(caller.request(GUESS, service)), caller.meter.take_usage()


def test_an_answer_is_settled_with_what_it_used(quota):
    outcome, usage = request(quota, Service(FINE))
    assert outcome is FINE
    assert quota.settled == [(Charge(110, pytest.approx(0.2)), Charge(220, pytest.approx(0.4)))]
    assert (usage.requests, usage.retries, usage.input_tokens, usage.output_tokens) == (1, 0, 200, 20)


def test_every_try_needs_leave_and_what_may_have_been_done_is_counted(quota):
    outcome, usage = request(quota, Service(SLOW, BROKEN, FINE))
    assert outcome is FINE
    assert [used.tokens for _, used in quota.settled] == [0, 110, 220]  # a connection that broke may have been served
    assert (usage.requests, usage.retries) == (3, 2)
    assert quota.unsettled == 0


@pytest.mark.parametrize(
    ("reply", "attempts", "request_id"), [(SLOW, 3, "r-slow"), (BROKEN, 3, None), (BAD, 1, "r-bad")]
)
def test_attempts_are_limited(quota, reply, attempts, request_id):
    service = Service(reply)
    outcome, _ = request(quota, service, attempts=3)
    assert (outcome.code, outcome.attempts, service.asked) == (reply.code, attempts, attempts)
    assert outcome.request_id == request_id


def test_a_quota_that_does_not_come_back_stops_the_run(quota):
    outcome, _ = request(quota, Service(*[BUSY] * 50, FINE), max_outage_s=0.0)
    assert outcome.code == "stopped"
    assert isinstance(quota.halted, StoppedError)
    assert "refused every request" in quota.halted.message
    assert "quota is exhausted" in quota.halted.remedy


def test_being_throttled_uses_up_no_attempt(quota):
    outcome, usage = request(quota, Service(*[BUSY] * 20, SLOW, FINE), attempts=2)
    assert outcome is FINE
    assert quota.refused == [(Charge(110, pytest.approx(0.2)), "tokens", 0.01)] * 20
    assert (usage.throttled, quota.unsettled) == (20, 0)


def test_attempts_do_not_count_refusals_for_throttling(quota):
    outcome, _ = request(quota, Service(BUSY, BUSY, SLOW, BUSY, BAD))
    assert (outcome.code, outcome.attempts) == ("invalid_parameter", 2)


def test_patience_with_throttling_ends(quota):
    service = Service(BUSY, takes_s=0.01)
    outcome, _ = request(quota, service, attempts=3, max_total_s=0.05)
    assert outcome.code == "throttled"
    assert 4 * 0.05 / 0.02 < service.asked < 40


def test_waiting_for_leave_is_no_part_of_a_request(quota):
    async def scene():
        quota.open = asyncio.Event()
        service = Service(SLOW, FINE)
        asked = asyncio.create_task(caller_of(quota, attempts=2, max_total_s=0.1).request(GUESS, service))
        quota.open.set()
        await asyncio.sleep(0)
        quota.open.clear()
        await asyncio.sleep(0.3)
        quota.open.set()
        return await asked

    assert asyncio.run(scene()) is FINE


def test_a_fatal_answer_halts_the_run(quota):
    fatal = StoppedError("The account has overdue payments (Arrearage).", "Settle them.")
    service = Service(SLOW, fatal)
    outcome, _ = request(quota, service)
    assert quota.halted is fatal
    assert (outcome.code, outcome.attempts, outcome.request_id) == ("stopped", 2, "r-slow")
    assert "Arrearage" in outcome.message
    assert quota.unsettled == 0


def test_a_halted_run_sends_nothing(quota):
    quota.halt(StoppedError("The budget is spent."))
    service = Service(FINE)
    outcome, usage = request(quota, service)
    assert (outcome.code, outcome.retryable) == ("stopped", True)
    assert (service.asked, usage.requests) == (0, 0)


def test_nothing_is_tried_again_in_a_halted_run(quota, monkeypatch):
    monkeypatch.delenv(WITHOUT_WAITING)

    async def halting():
        quota.halt(StoppedError("The budget is spent."))
        return SLOW

    started_s = time.perf_counter()
    outcome, _ = request(quota, halting, first_wait_s=1000.0, max_wait_s=1000.0)
    assert (outcome.code, outcome.request_id) == ("stopped", "r-slow")
    assert time.perf_counter() - started_s < 1


def test_a_bug_is_raised_and_leaves_no_leave_behind(quota):
    with pytest.raises(KeyError):
        request(quota, Service(KeyError("bug")))
    assert quota.unsettled == 0


def test_a_cancelled_request_leaves_no_leave_behind(quota):
    async def scene():
        asked = asyncio.create_task(caller_of(quota).request(GUESS, Service(FINE, takes_s=10)))
        await asyncio.sleep(0.01)
        asked.cancel()
        await asyncio.wait([asked])

    asyncio.run(scene())
    assert (len(quota.acquired), quota.unsettled) == (1, 0)


def test_slots_bound_what_is_in_flight(quota):
    async def scene():
        caller, service = caller_of(quota, concurrency=3), Service(FINE, takes_s=0.01)
        await asyncio.gather(*(caller.ask(GUESS, service, str.upper) for _ in range(12)))
        return service

    service = asyncio.run(scene())
    assert (service.asked, service.in_flight_peak) == (12, 3)


def ask(quota, service, read):
    return asyncio.run(caller_of(quota).ask(GUESS, service, read))


def test_a_bad_answer_is_asked_for_twice_again(quota):
    fault = RowError("empty_caption", "nothing", retryable=True)
    service = Service(FINE)
    outcome = ask(quota, service, lambda _: fault)
    assert (outcome.code, outcome.attempts, outcome.request_id, service.asked) == ("empty_caption", 3, "r-fine", 3)
    service = Service(Answer("", None), Answer("", None), FINE)
    assert ask(quota, service, lambda text: text or fault) == "fine"


def test_a_fault_that_lasts_is_not_asked_again(quota):
    service = Service(FINE)
    outcome = ask(quota, service, lambda _: RowError("refused", "never"))
    assert (outcome.code, service.asked) == ("refused", 1)


def test_failures_after_a_bad_answer_count_all_tries(quota):
    service = Service(Answer("", None), SLOW, BAD)
    outcome = ask(quota, service, lambda text: text or RowError("empty_caption", "nothing", retryable=True))
    assert (outcome.code, outcome.attempts) == ("invalid_parameter", 3)


def test_an_outage_uses_up_no_attempts(quota, monkeypatch):
    monkeypatch.setattr("tuku.providers.api.outage.QUIET_S", 0.05)
    monkeypatch.setattr("tuku.providers.api.outage.FIRST_PROBE_S", 0.02)
    monkeypatch.delenv(WITHOUT_WAITING)

    async def scene():
        caller = caller_of(quota, concurrency=20, attempts=6, first_wait_s=0.02)
        ends_s = asyncio.get_running_loop().time() + 0.5
        tries = 0

        async def service():
            nonlocal tries
            tries += 1
            await asyncio.sleep(0.001)
            return FINE if asyncio.get_running_loop().time() > ends_s else BROKEN

        outcomes = await asyncio.gather(*(caller.request(GUESS, service) for _ in range(20)))
        return outcomes, tries

    outcomes, tries = asyncio.run(scene())
    assert outcomes == [FINE] * 20
    assert tries < 150  # they waited
    assert quota.unsettled == 0
