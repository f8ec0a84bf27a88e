from __future__ import annotations

import asyncio

import pytest

from fakes.recording_quota import RecordingQuota
from tuku.errors import RowError, StoppedError
from tuku.providers.api.outage import LAST_PROBE_S, Outage, of_everybody
from tuku.providers.api.verdicts import Unavailable

DOWN = Unavailable("connection_reset", "the connection broke off")
PERHAPS_THE_ROW = Unavailable("server_error", "HTTP 500")


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s

    async def sleep(self, seconds):
        self.now_s += seconds
        await asyncio.sleep(0)


def outage_of(max_outage_s=900.0):
    clock, quota = Clock(), RecordingQuota()
    return Outage("dashscope/some-model", quota, max_outage_s, clock=clock, sleep=clock.sleep), clock, quota


def bring_down(outage, clock):
    excused = [outage.failed(DOWN, probe=False)]
    clock.now_s += 3
    return excused + [outage.failed(DOWN, probe=False) for _ in range(7)]


def test_a_few_failures_are_the_rows_affair():
    outage, clock, _ = outage_of()
    assert [outage.failed(DOWN, probe=False) for _ in range(7)] == [False] * 7
    outage.answered()
    clock.now_s += 3
    assert [outage.failed(DOWN, probe=False) for _ in range(7)] == [False] * 7
    assert asyncio.run(outage.clear()) is False


def test_fewer_are_enough_where_no_row_can_be_to_blame():
    outage, clock, _ = outage_of()
    gateway = of_everybody(PERHAPS_THE_ROW, 503)
    assert [outage.failed(gateway, probe=False) for _ in range(2)] == [False, False]
    clock.now_s += 3
    assert outage.failed(gateway, probe=False) is True
    assert asyncio.run(outage.clear()) is True  # down: this one probes
    outage.answered()
    assert outage.failed(gateway, probe=False) is False


def test_many_failures_within_a_moment_are_excused_but_nobody_waits_yet():
    outage, _, _ = outage_of()
    assert [outage.failed(DOWN, probe=False) for _ in range(9)] == [False] * 7 + [True] * 2
    assert asyncio.run(outage.clear()) is False


def test_while_it_is_down_one_probes_and_the_others_wait():
    outage, clock, _ = outage_of()
    assert bring_down(outage, clock)[-1] is True
    log = []

    async def row(name):
        while await outage.clear():
            log.append((name, clock.now_s - started_s))
            works = clock.now_s - started_s > 60
            (outage.answered if works else lambda: log.append(outage.failed(DOWN, probe=True)))()
            outage.probed()
            if works:
                return
        log.append(name)

    started_s = clock.now_s

    async def rows():
        await asyncio.wait_for(asyncio.gather(*map(row, "abc")), 5)

    asyncio.run(rows())
    probes = [entry for entry in log if isinstance(entry, tuple)]
    times_s = [time_s for _, time_s in probes]
    assert times_s == [1, 3, 7, 15, 31, 61]
    assert [name for name, _ in probes][:3] == ["a", "b", "c"]
    assert [entry for entry in log if entry is True] == [True] * 5  # nobody's attempt was used up
    assert len([entry for entry in log if isinstance(entry, str)]) == 2  # the others went on


def test_waits_between_probes_are_bounded():
    outage, clock, _ = outage_of(max_outage_s=10_000)
    bring_down(outage, clock)

    async def probe():
        for _ in range(12):
            before_s = clock.now_s
            await outage.clear()
            outage.failed(DOWN, probe=True)
            outage.probed()
        return clock.now_s - before_s

    assert asyncio.run(probe()) == LAST_PROBE_S


def test_after_too_long_the_run_is_halted():
    outage, clock, quota = outage_of(max_outage_s=60)
    bring_down(outage, clock)

    async def probe():
        while await outage.clear():
            outage.failed(DOWN, probe=True)
            outage.probed()

    with pytest.raises(StoppedError, match=r"dashscope/some-model has not answered since .* UTC \(6\d s\)") as caught:
        asyncio.run(probe())
    assert "connection_reset" in str(caught.value)
    assert "retry.max_outage_s" in caught.value.remedy
    assert quota.halted is caught.value


def test_nobody_waits_in_a_halted_run():
    outage, clock, quota = outage_of()
    bring_down(outage, clock)
    quota.halt(StoppedError("budget"))
    assert asyncio.run(outage.clear()) is False


def test_a_probe_that_is_called_off_leaves_its_turn_to_the_next():
    outage, clock, _ = outage_of()
    bring_down(outage, clock)

    async def rows():
        first, second = asyncio.create_task(outage.clear()), asyncio.create_task(outage.clear())
        await asyncio.sleep(0)
        first.cancel()
        return await asyncio.wait_for(second, 5)

    assert asyncio.run(rows()) is True


def test_the_last_rows_pay_for_errors_that_may_be_theirs():
    outage, clock, _ = outage_of()
    bring_down(outage, clock)
    assert outage.failed(PERHAPS_THE_ROW, probe=True) is False
    assert outage.failed(of_everybody(PERHAPS_THE_ROW, 503), probe=True) is True


def test_only_a_gateways_statuses_are_everybodys():
    assert of_everybody(PERHAPS_THE_ROW, 500) == PERHAPS_THE_ROW
    assert of_everybody(RowError("http_400", "no"), 503).code == "http_400"


def test_an_idle_time_before_is_no_part_of_it():
    outage, clock, quota = outage_of(max_outage_s=60)
    outage.answered()
    clock.now_s += 3600
    bring_down(outage, clock)
    assert asyncio.run(outage.clear()) is True
    assert quota.halted is None
