"""The side of one process, in virtual time; at the end in real time."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from tuku.errors import StoppedError, TukuError
from tuku.quota import Governor, Grant, LeasedQuota, LocalQuota
from tuku.quota.leases import AT_ONCE_S, HASTE, MOST_LATE_S
from tuku.terms import Charge
from unit.quota.virtual_time import run

ONE = Charge(tokens=100)


class Desk:
    """Gives turns every `spacing_s`, at most `most` at once, and writes down what it is told."""

    def __init__(self, loop, spacing_s=0.1, most=1_000, takes_s=0.0):
        self.loop, self.spacing_s, self.most, self.takes_s = loop, spacing_s, most, takes_s
        self.wanted, self.settled, self.refused = [], [], []
        self.free_s = 0.0
        self.busy = 0
        self.error = None

    async def lease(self, wanted):
        assert self.busy == 0
        self.busy += 1
        await asyncio.sleep(self.takes_s)
        self.busy -= 1
        if self.error:
            raise self.error
        self.wanted.append(list(wanted))
        now_s = self.loop.time()
        starts = []
        for _ in wanted[: self.most]:
            starts.append(max(now_s, self.free_s))
            self.free_s = starts[-1] + self.spacing_s
        again_s = self.free_s - now_s if len(starts) < len(wanted) else 0.0
        return Grant(tuple(start - now_s for start in starts), again_s)

    async def report(self, settled, refused):
        if self.error:
            raise self.error
        self.settled += settled
        self.refused += refused


async def send(quota, loop, sent, name, charge=ONE):
    await quota.acquire(charge)
    sent.append((name, loop.time()))


def test_requests_go_in_the_order_they_came_each_at_its_turn():
    async def main(loop):
        desk, sent = Desk(loop, most=4, takes_s=0.01), []
        quota = LeasedQuota(desk.lease, desk.report)
        await asyncio.gather(*(send(quota, loop, sent, i, Charge(tokens=i)) for i in range(10)))
        return desk, sent

    desk, sent = run(main)
    assert [name for name, _ in sent] == list(range(10))
    assert all(b - a >= 0.095 for (_, a), (_, b) in itertools.pairwise(sent))
    assert sent[-1][1] <= 1.05
    assert desk.wanted[0] == list(range(10))
    assert desk.wanted[1] == list(range(4, 10))
    assert len(desk.wanted) == 3  # and is not asked more often


def test_turns_that_were_missed_are_made_up_for_gently_or_given_up():
    async def main(loop):
        desk, sent = Desk(loop, spacing_s=0.02), []
        quota = LeasedQuota(desk.lease, desk.report)
        tasks = [asyncio.ensure_future(send(quota, loop, sent, i)) for i in range(40)]
        await asyncio.sleep(0.1)
        loop.virtual.now_s += 0.3  # the event loop does not get to run for that long
        await asyncio.gather(*tasks)
        return sent

    moments = [at for _, at in run(main)]
    after = [at for at in moments if at >= 0.39][1:]  # the turn of the first had come before
    assert len(moments) == 40
    for first, second in itertools.combinations(
        range(len(after)), 2
    ):  # at the faster rate, but for what may be at once
        assert after[second] - after[first] >= (second - first) * 0.02 / HASTE - AT_ONCE_S - 0.003
    last = [b - a for a, b in itertools.pairwise(after)][round(AT_ONCE_S * HASTE / 0.02) :]
    assert min(last) >= 0.02 / HASTE - 0.003
    late = int(MOST_LATE_S / 0.02)
    assert moments[-1] >= 40 * 0.02 + 0.3 - MOST_LATE_S - 0.1
    assert after[late] - after[0] <= 0.02 * late


def test_what_each_wake_up_is_late_does_not_add_up():
    async def main(loop):
        desk, sent = Desk(loop, spacing_s=0.005), []
        quota = LeasedQuota(desk.lease, desk.report)
        await asyncio.gather(*(send(quota, loop, sent, i) for i in range(400)))
        return sent[-1][1], round(desk.free_s / 0.005)

    took_s, turns = run(main, stall_every_s=0.001, stall_s=0.004)
    assert turns == 400  # none was given up
    assert took_s == pytest.approx(2.0, abs=0.05)


def test_who_gives_up_waiting_takes_nobody_s_turn():
    async def main(loop):
        desk, sent = Desk(loop), []
        quota = LeasedQuota(desk.lease, desk.report)
        tasks = [asyncio.ensure_future(send(quota, loop, sent, i)) for i in range(6)]
        await asyncio.sleep(0.05)
        for i in (1, 3):
            tasks[i].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return sent

    sent = run(main)
    assert [name for name, _ in sent] == [0, 2, 4, 5]
    assert sent[-1][1] <= 0.35


def test_cancelled_in_the_moment_of_its_turn_the_next_one_goes():
    async def main(loop):
        desk, sent = Desk(loop, spacing_s=5.0), []
        quota = LeasedQuota(desk.lease, desk.report)
        tasks = [asyncio.ensure_future(send(quota, loop, sent, i)) for i in range(3)]
        await asyncio.sleep(0.01)
        quota._send_next()  # the turn of 1 has come, but it has not run yet
        tasks[1].cancel()
        await asyncio.sleep(0.01)
        taken = list(sent)
        tasks[2].cancel()
        return taken

    assert [name for name, _ in run(main)] == [0, 2]


def test_what_ended_is_told_with_its_age_refusals_at_once():
    async def main(loop):
        desk = Desk(loop, spacing_s=0.0)
        quota = LeasedQuota(desk.lease, desk.report)

        async def request(lasts_s, refused):
            await quota.acquire(ONE)
            await asyncio.sleep(lasts_s)
            if refused:
                quota.throttled(ONE, "tokens", 3.0)
            else:
                quota.settle(ONE, Charge(tokens=70))

        await asyncio.gather(request(1.0, refused=False), request(1.0, refused=False), request(2.0, refused=True))
        await asyncio.sleep(0.01)
        quota.settle(ONE, Charge(tokens=5))  # by a task that never acquired
        told = list(desk.settled), list(desk.refused)
        await quota.flush()
        return told, desk.settled

    (settled, (refused,)), all_settled = run(main)
    assert [(s.estimated, s.used, round(s.age_s, 1)) for s in settled] == [(100, 70, 1.0)] * 2
    assert (refused.kind, refused.estimated, round(refused.age_s, 1), refused.retry_after_s) == ("tokens", 100, 2.0, 3)
    assert (all_settled[-1].used, all_settled[-1].age_s) == (5, None)


def test_once_halted_nobody_waits_any_more():
    async def main(loop):
        desk, sent = Desk(loop, spacing_s=10.0), []
        quota = LeasedQuota(desk.lease, desk.report)
        tasks = [asyncio.ensure_future(send(quota, loop, sent, i)) for i in range(3)]
        await asyncio.sleep(0.1)
        assert quota.halted is None
        quota.halt(StoppedError("the key is not valid"))
        quota.halt(StoppedError("and something else"))
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        with pytest.raises(StoppedError, match="the key is not valid"):
            await quota.acquire(ONE)
        return sent, ends, quota.halted

    sent, ends, halted = run(main)
    assert [name for name, _ in sent] == [0]
    assert ends == [None, halted, halted]


@pytest.mark.parametrize("error", [RuntimeError("no answer"), StoppedError("the budget is spent")])
def test_an_error_of_the_governor_is_everyone_s_who_waits(error):
    async def main(loop):
        desk = Desk(loop)
        quota = LeasedQuota(desk.lease, desk.report)
        desk.error = error
        waiting = await asyncio.gather(*(quota.acquire(ONE) for _ in range(3)), return_exceptions=True)
        desk.error = None
        halted = quota.halted
        later = await asyncio.gather(quota.acquire(ONE), return_exceptions=True)
        return waiting, halted, later

    waiting, halted, later = run(main)
    assert waiting == [error] * 3
    is_fatal = isinstance(error, TukuError)
    assert halted is (error if is_fatal else None)
    assert later == [error if is_fatal else None]


def test_an_error_while_telling_is_not_swallowed():
    async def main(loop):
        desk = Desk(loop, spacing_s=10.0)
        quota = LeasedQuota(desk.lease, desk.report)
        await quota.acquire(ONE)
        waiting = asyncio.ensure_future(quota.acquire(ONE))
        await asyncio.sleep(0.1)
        desk.error = RuntimeError("no answer")
        quota.settle(ONE, ONE)
        return await asyncio.gather(waiting, return_exceptions=True)

    assert str(run(main)[0]) == "no answer"


def test_without_limits_nobody_waits():
    async def main():
        quota = LocalQuota(Governor(None, None))
        began_s = time.monotonic()
        for _ in range(4):
            await asyncio.gather(*(quota.acquire(ONE) for _ in range(500)))
        return time.monotonic() - began_s

    assert asyncio.run(main()) < 1.0


def test_in_real_time_requests_are_even_and_do_not_exceed_their_rate():
    async def main():
        quota = LocalQuota(Governor(6_000, None))
        moments = []

        async def work():
            while True:
                await quota.acquire(ONE)
                moments.append(time.monotonic())
                await asyncio.sleep(0.05)
                quota.settle(ONE, ONE)

        tasks = [asyncio.ensure_future(work()) for _ in range(20)]
        await asyncio.sleep(2.5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return [moment - moments[0] for moment in moments]

    moments = asyncio.run(main())
    expected = 10.0 * (2**2.5 - 1) / 0.693  # 10 a second at first, doubling each second
    assert 0.6 * expected <= len(moments) <= 1.2 * expected
    assert sum(1.0 <= moment < 1.5 for moment in moments) <= 0.5 * 1.2 * 10.0 * 2**1.5 + 2
