from __future__ import annotations

import asyncio

import numpy as np
import pytest

from fakes.recording_quota import RecordingQuota
from tuku.config import RetryConfig
from tuku.errors import RowError, StoppedError
from tuku.protocols import ModelDescription
from tuku.providers.api.batching import Batcher, Item
from tuku.providers.api.caller import Answer, Caller
from tuku.providers.api.meter import Tokens
from tuku.providers.factory import Access
from tuku.retry import WITHOUT_WAITING
from tuku.terms import Terms

REFUSED = RowError("content_refused", "no", request_id="r-refused")
MISSING = RowError("missing_vector", "not there", retryable=True)


def picture(name, size_bytes=1):
    return Item("picture", f"{name}{'x' * (size_bytes - 1)}", 10)


def text(name):
    return Item("text", name, 1)


def vector_of(item):
    return np.full(2, sum(item.content.encode()), dtype=np.float32)


class Service:
    """Answers items, except that `bad` ones fail their request and `missing` ones so often have no vector."""

    def __init__(self, bad=(), missing=None, error=None, answer_s=0.001):
        self.answer_s = answer_s
        self.bad, self.missing, self.error = set(bad), dict(missing or {}), error
        self.asked = []
        self.asked_first = asyncio.Event()

    @property
    def requests(self):
        return ["".join(item.content[0] for item in items) for items in self.asked]

    async def __call__(self, items):
        self.asked.append(list(items))
        self.asked_first.set()
        await asyncio.sleep(self.answer_s)
        if self.error is not None:
            raise self.error
        if self.bad & {item.content for item in items}:
            return REFUSED
        return Answer([self._outcome(item) for item in items], Tokens(10 * len(items)), "r-answer")

    def _outcome(self, item):
        if self.missing.get(item.content, 0) > 0:
            self.missing[item.content] -= 1
            return MISSING
        return vector_of(item)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setenv(WITHOUT_WAITING, "1")


@pytest.fixture
def quota():
    return RecordingQuota()


def batcher_of(quota, service, pictures=4, texts=4, items=4, max_bytes=1000, concurrency=8):
    terms = Terms(
        pictures_per_request=pictures, texts_per_request=texts, items_per_request=items, concurrency=concurrency
    )
    caller = Caller(ModelDescription("some", "model", "1", terms=terms), Access(quota, RetryConfig()))
    return Batcher(caller, terms, max_bytes, service)


def ask(quota, service, *items, **terms):
    async def scene():
        return await batcher_of(quota, service, **terms).ask(items)

    return asyncio.run(asyncio.wait_for(scene(), 10))


def assert_right(items, outcomes):
    assert len(items) == len(outcomes)
    for item, outcome in zip(items, outcomes, strict=True):
        np.testing.assert_array_equal(outcome, vector_of(item))


def test_requests_are_as_full_as_the_terms_allow(quota):
    service, items = Service(), [picture(name) for name in "abcdefghij"]
    assert_right(items, ask(quota, service, *items))
    assert service.requests == ["abcd", "efgh", "ij"]
    assert [charge.tokens for charge in quota.acquired] == [40, 40, 20]


def test_texts_ride_along_with_pictures(quota):
    service = Service()
    items = [picture("A"), picture("B"), *map(text, "tuvwxyz")]
    assert_right(items, ask(quota, service, *items, pictures=1, texts=3, items=4))
    assert service.requests == ["Atuv", "Bwxy", "z"]


def test_a_request_has_no_more_bytes_than_it_may(quota):
    service = Service()
    items = [picture("a", 60), picture("b", 60), picture("c", 30), picture("d", 200), picture("e", 10)]
    assert_right(items, ask(quota, service, *items, max_bytes=100))
    assert service.requests == ["a", "bc", "d", "e"]


def test_threads_share_requests_while_leave_is_waited_for(quota):
    service = Service()

    async def scene():
        quota.open = asyncio.Event()
        batcher = batcher_of(quota, service)
        callers = [asyncio.create_task(batcher.ask([picture(name), text(name)])) for name in "abcdef"]
        await asyncio.sleep(0.01)
        quota.open.set()
        return await asyncio.gather(*callers)

    outcomes = asyncio.run(scene())
    assert [len(request) for request in service.requests] == [4, 4, 4]
    for name, found in zip("abcdef", outcomes, strict=True):
        assert_right([picture(name), text(name)], found)


def test_equal_items_that_wait_together_are_asked_once(quota):
    service = Service()

    async def scene():
        batcher = batcher_of(quota, service)
        return await asyncio.gather(batcher.ask([text("a"), text("a")]), batcher.ask([text("a"), text("b")]))

    first, second = asyncio.run(scene())
    assert_right([text("a"), text("a")], first)
    assert_right([text("a"), text("b")], second)
    assert sorted("".join(service.requests)) == ["a", "b"]


@pytest.mark.parametrize("bad", [["a"], ["d"], ["b", "c"], list("abcd")])
def test_a_bad_item_falls_alone(quota, bad):
    service, items = Service(bad=bad), [text(name) for name in "abcd"]
    outcomes = ask(quota, service, *items)
    for item, outcome in zip(items, outcomes, strict=True):
        if item.content in bad:
            assert (outcome.code, outcome.request_id) == ("content_refused", "r-refused")
            assert outcome.attempts == 3  # with three others, with one, alone
        else:
            assert_right([item], [outcome])
    answered = [item.content for items in service.asked if not set(bad) & {i.content for i in items} for item in items]
    assert sorted(answered) == sorted(set("abcd") - set(bad))  # nothing was paid for twice
    assert quota.unsettled == 0


def test_what_is_missing_is_asked_for_alone(quota):
    service, items = Service(missing={"b": 1, "c": 2}), [text(name) for name in "abcd"]
    assert_right(items, ask(quota, service, *items))
    assert service.requests == ["abcd", "b", "c", "c"]


def test_what_stays_missing_is_given_up(quota):
    service = Service(missing={"b": 99})
    outcomes = ask(quota, service, text("a"), text("b"))
    assert_right([text("a")], outcomes[:1])
    assert (outcomes[1].code, outcomes[1].attempts, outcomes[1].request_id) == ("missing_vector", 3, "r-answer")
    assert service.requests == ["ab", "b", "b"]


def test_a_halted_run_asks_for_nothing_and_halves_nothing(quota):
    quota.halt(StoppedError("The budget is spent."))
    service = Service()
    outcomes = ask(quota, service, *map(text, "abcdefgh"))
    assert {outcome.code for outcome in outcomes} == {"stopped"}
    assert service.asked == []


def test_a_bug_is_raised_in_those_who_wait(quota):
    with pytest.raises(KeyError):
        ask(quota, Service(error=KeyError("bug")), text("a"))
    assert quota.unsettled == 0


def test_slots_bound_the_requests_in_flight(quota):
    service = Service()
    items = [text(name) for name in "abcdefgh"]
    assert_right(items, ask(quota, service, *items, concurrency=1, items=1))
    assert service.requests == list("abcdefgh")


def test_what_nobody_waits_for_any_more_is_not_asked(quota):
    service = Service()

    async def scene():
        quota.open = asyncio.Event()
        batcher = batcher_of(quota, service, items=1, texts=1)
        first, second, third = (asyncio.create_task(batcher.ask([text(name)])) for name in "abc")
        await asyncio.sleep(0.01)
        second.cancel()
        await asyncio.sleep(0)
        quota.open.set()
        await asyncio.wait_for(asyncio.gather(first, third), 5)
        return await batcher.ask([text("b")])

    assert_right([text("b")], asyncio.run(scene()))
    assert service.requests == ["a", "c", "b"]


def test_nothing_in_nothing_out(quota):
    assert ask(quota, Service()) == []


def test_all_who_ask_for_an_item_are_told_of_it_once(quota):
    told = []

    async def scene():
        batcher = batcher_of(quota, Service())
        first = batcher.ask([text("a"), text("b"), text("a")], lambda position, _: told.append(("first", position)))
        second = batcher.ask([text("b")], lambda position, _: told.append(("second", position)))
        await asyncio.gather(first, second)

    asyncio.run(scene())
    assert sorted(told) == [("first", 1), ("first", 2), ("second", 0)]


def test_who_was_interrupted_is_told_of_what_had_been_sent(quota):
    service, told = Service(answer_s=0.2), []

    async def scene():
        batcher = batcher_of(quota, service, items=1, concurrency=1)
        asking = asyncio.create_task(batcher.ask([text("a"), text("b")], lambda position, _: told.append(position)))
        await service.asked_first.wait()
        asking.cancel()
        await asyncio.wait([asking])
        assert told == []
        await batcher.ask([text("c")])

    asyncio.run(scene())
    assert told == [0]
    assert service.requests == ["a", "c"]
