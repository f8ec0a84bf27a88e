"""A worker's part in the run: it spends what it was granted, and stops when the run does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tuku.config import LimitsConfig
from tuku.errors import StoppedError, TukuError
from tuku.runtime.account import MeteredQuota, RunAccount
from tuku.runtime.ledger import Halt, Ledger, Returned, Use
from tuku.terms import Charge, ThrottleKind


class NearBooks:
    """A ledger in this process, as one of its workers sees it."""

    def __init__(self, ledger: Ledger | None = None, worker: str = "w", **limits: float) -> None:
        self.ledger = ledger or Ledger(LimitsConfig(**limits))
        self._worker = worker

    def report(self, used: dict[str, Use], returned: Returned) -> Halt | None:
        return self.ledger.report(self._worker, used, returned)

    async def reserve(self, cost: float) -> Halt | None:
        await asyncio.sleep(0)
        return self.ledger.reserve(cost)

    def stop(self, halt: Halt) -> None:
        self.ledger.stop(halt)


@dataclass
class OpenQuota:
    """Lets everyone pass at once, or nobody."""

    closed: bool = False
    halted: TukuError | None = None
    settled: list[tuple[Charge, Charge]] = field(default_factory=list)
    refused: list[ThrottleKind] = field(default_factory=list)
    heard: threading.Event = field(default_factory=threading.Event)

    async def acquire(self, charge: Charge) -> None:
        while self.closed:
            await asyncio.sleep(0.001)
            if self.halted:
                raise self.halted

    def settle(self, charge: Charge, used: Charge) -> None:
        self.settled.append((charge, used))

    def throttled(self, charge: Charge, kind: ThrottleKind, retry_after_s: float | None) -> None:
        self.refused.append(kind)

    def halt(self, error: TukuError) -> None:
        self.halted = error
        self.heard.set()


@pytest.fixture
def accounts() -> Iterator[list[RunAccount]]:
    made: list[RunAccount] = []
    yield made
    for account in made:
        account.close()


def metered(books: NearBooks, quota: OpenQuota, accounts: list[RunAccount]) -> MeteredQuota:
    accounts.append(RunAccount(books, limited=True))
    return MeteredQuota("caption", quota, accounts[-1])


async def spend(quota: MeteredQuota, times: int, cost: float = 0.0) -> int:
    """How many requests went out before the run was halted."""
    for sent in range(times):
        try:
            await quota.acquire(Charge(100, cost))
        except StoppedError:
            return sent
        quota.settle(Charge(100, cost), Charge(90, cost))
    return times


def test_calls_end_at_the_limit_exactly(accounts: list[RunAccount]) -> None:
    quota = metered(NearBooks(max_calls=7), OpenQuota(), accounts)
    assert asyncio.run(spend(quota, 20)) == 7
    assert quota.halted is not None
    assert "max_calls" in quota.halted.message


def test_many_at_once_do_not_exceed_it(accounts: list[RunAccount]) -> None:
    quota = metered(NearBooks(max_calls=50), OpenQuota(), accounts)

    async def all_at_once() -> int:
        return sum(await asyncio.gather(*[spend(quota, 10) for _ in range(20)]))

    assert asyncio.run(all_at_once()) == 50


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_many_workers_with_many_in_flight_use_all_of_it_and_no_more(workers: int, accounts: list[RunAccount]) -> None:
    ledger = Ledger(LimitsConfig(max_calls=1_000))
    quotas = [metered(NearBooks(ledger, f"w{n}"), OpenQuota(), accounts) for n in range(workers)]

    async def all_at_once() -> int:
        return sum(await asyncio.gather(*[spend(quota, 50) for quota in quotas for _ in range(64)]))

    assert asyncio.run(all_at_once()) == 1_000


def test_money_that_a_request_did_not_use_is_there_for_the_next(accounts: list[RunAccount]) -> None:
    quota = metered(NearBooks(max_cost=1.0), OpenQuota(), accounts)

    async def cheap() -> int:
        sent = 0
        while sent < 50:
            try:
                await quota.acquire(Charge(1, 0.25))
            except StoppedError:
                break
            quota.settle(Charge(1, 0.25), Charge(1, 0.05))
            accounts[0].report()
            sent += 1
        return sent

    assert asyncio.run(cheap()) == 16  # the next could have cost 0.25, and 0.2 were left


def test_a_refused_request_costs_a_call_but_no_money(accounts: list[RunAccount]) -> None:
    inner = OpenQuota()
    quota = metered(NearBooks(max_cost=1.0), inner, accounts)

    async def refused() -> None:
        for _ in range(30):
            await quota.acquire(Charge(1, 0.9))
            quota.throttled(Charge(1, 0.9), "requests", None)
            accounts[0].report()

    asyncio.run(refused())
    assert inner.refused == ["requests"] * 30


def test_what_has_leave_is_sent_when_a_limit_is_reached_and_not_when_an_answer_was_fatal(
    accounts: list[RunAccount],
) -> None:
    inner = OpenQuota(closed=True)
    quota = metered(NearBooks(max_calls=3), inner, accounts)

    async def four() -> list[object]:
        tasks = [asyncio.create_task(quota.acquire(Charge(1))) for _ in range(4)]
        await asyncio.sleep(0.05)
        assert [task.done() for task in tasks] == [False, False, False, True]
        quota.halt(StoppedError("Overdue.", ""))
        return list(await asyncio.gather(*tasks, return_exceptions=True))

    outcomes = asyncio.run(four())
    assert [str(outcome) for outcome in outcomes[:3]] == ["Overdue."] * 3
    assert "max_calls" in str(outcomes[3])
    assert quota.halted is not None
    assert quota.halted.message == "Overdue."


def test_a_worker_that_cannot_reach_the_books_stops(accounts: list[RunAccount]) -> None:
    class LostBooks(NearBooks):
        def report(self, used: dict[str, Use], returned: Returned) -> Halt | None:
            raise ConnectionError

    quota = metered(LostBooks(), OpenQuota(), accounts)
    accounts[0].report()
    assert quota.halted is not None
    assert "ledger is lost" in quota.halted.message


def test_a_wait_that_is_cancelled_gives_back_what_it_had_reserved(accounts: list[RunAccount]) -> None:
    inner = OpenQuota(closed=True)
    quota = metered(NearBooks(max_calls=1), inner, accounts)

    async def cancelled_then_sent() -> int:
        waiting = asyncio.create_task(quota.acquire(Charge(1)))
        await asyncio.sleep(0.02)
        waiting.cancel()
        await asyncio.wait([waiting])
        accounts[0].report()
        inner.closed = False
        return await spend(quota, 5)

    assert asyncio.run(cancelled_then_sent()) == 1


def test_a_fatal_answer_halts_those_who_wait_and_the_whole_run(accounts: list[RunAccount]) -> None:
    books, inner = NearBooks(), OpenQuota(closed=True)
    quota = metered(books, inner, accounts)

    async def waiting() -> None:
        task = asyncio.create_task(quota.acquire(Charge(1)))
        await asyncio.sleep(0.01)
        quota.halt(StoppedError("The key is not valid.", "Set another."))
        await task

    with pytest.raises(StoppedError, match="key is not valid"):
        asyncio.run(waiting())
    assert books.ledger.halt == Halt("StoppedError", "The key is not valid.", "Set another.")


def test_a_worker_learns_within_seconds_that_another_has_halted_the_run(accounts: list[RunAccount]) -> None:
    books, inner = NearBooks(), OpenQuota()
    quota = metered(books, inner, accounts)

    async def until_halted() -> None:
        await spend(quota, 1)
        books.ledger.stop(Halt("StoppedError", "Somebody else's reason.", ""))
        for _ in range(300):
            if inner.halted is not None:
                return
            await asyncio.sleep(0.01)

    asyncio.run(until_halted())
    assert inner.halted is not None
    assert inner.halted.message == "Somebody else's reason."
    assert quota.halted is inner.halted


def test_what_was_asked_is_in_the_books(accounts: list[RunAccount]) -> None:
    books, inner = NearBooks(), OpenQuota()
    quota = metered(books, inner, accounts)
    asyncio.run(spend(quota, 3))
    accounts[0].close()
    [(_, use)] = books.ledger.series()["caption"]
    assert use == Use(requests=3, tokens=270, throttled=0)
