"""What a governor and its clients reach against a service that enforces its quota: in virtual time, seeded."""

from __future__ import annotations

import asyncio

import pytest

from tuku.quota import HORIZON_S, Governor
from unit.quota.simulation import Cluster, Service
from unit.quota.virtual_time import run

HALVED = ((60.0, 600.0), (120.0, 1200.0))


def simulate(service, until_s, clients=1, workers=None, share=1.0, tokens_per_min=None, estimate=300, **stalls):
    workers = workers or int(service.requests_per_min / 60.0 * 5.0 / clients) + 8

    async def main(loop):
        cluster = Cluster(loop, service, Governor(service.requests_per_min, tokens_per_min, share), estimate)
        jobs = [cluster.start(f"client {i}", workers) for i in range(clients)]
        await asyncio.sleep(until_s)
        assert len(jobs) == clients
        return cluster

    return run(main, **stalls)


@pytest.mark.parametrize("clients", [1, 3])
@pytest.mark.parametrize("requests_per_min", [1200, 6000])
def test_the_quota_is_used_and_held(requests_per_min, clients):
    service = Service(requests_per_min)
    cluster = simulate(service, 90.0, clients)
    assert service.use(9.0, 81.0, requests_per_min) >= 0.97
    assert service.refused_part(0.0, 90.0) <= 0.005
    assert service.most_in(60.0) <= requests_per_min
    assert service.most_in(1.0) <= 1.25 * requests_per_min / 60.0
    assert max(cluster.answered.values()) <= 1.2 * min(cluster.answered.values())
    assert cluster.asked <= 25 * 90  # calls of the governor


@pytest.mark.parametrize("requests_per_min", [1200, 6000])
def test_it_is_not_locked_out_where_refused_calls_count(requests_per_min):
    service = Service(requests_per_min, burst_s=0.2, refused_count=True)
    simulate(service, 60.0, clients=3, stall_every_s=5.0, stall_s=0.15)
    assert service.use(6.0, 54.0, requests_per_min) >= 0.95
    assert service.refused_part(0.0, 60.0) <= 0.005
    assert service.most_in(1.0) <= 1.25 * requests_per_min / 60.0


@pytest.mark.parametrize("estimate", [150, 300, 800])
@pytest.mark.parametrize("requests_per_min", [1200, 6000])
def test_tokens_bind_and_are_used_whatever_was_estimated(requests_per_min, estimate):
    tokens_per_min = 200 * requests_per_min
    service = Service(requests_per_min, tokens_per_min, tokens_of=lambda random: int(random.gauss(400, 60)))
    simulate(service, 70.0, clients=3, tokens_per_min=tokens_per_min, estimate=estimate)
    assert service.token_use(10.0, 65.0) >= 0.97
    assert service.refused_part(0.0, 70.0) <= 0.005


@pytest.mark.parametrize("burst_s", [0.2, 1.0])
def test_a_halved_limit_is_found_and_a_restored_one_too(burst_s):
    service = Service(1200, burst_s=burst_s, schedule=HALVED)
    simulate(service, 180.0, clients=3)
    # The minute is full when the limit is halved: the service accepts nothing until 90 s.
    assert service.use(95.0, 120.0, 600) >= 0.85
    assert service.use(150.0, 180.0, 1200) >= 0.97
    assert service.refused_part(0.0, 180.0) <= 0.012
    assert service.refused_part(121.0, 180.0) <= 0.002


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_halved_limit_is_used_fully_while_it_lasts(seed):
    """Looking for more now and then uses up the minute; that is no reason to go on more slowly."""
    service = Service(1200, schedule=((60.0, 600.0), (180.0, 1200.0)), seed=seed)
    simulate(service, 240.0, clients=1 + seed)
    assert service.use(120.0, 180.0, 600) >= 0.98
    assert service.use(210.0, 240.0, 1200) >= 0.97
    assert service.refused_part(0.0, 240.0) <= 0.012


def test_without_a_full_minute_the_halved_limit_is_used_at_once():
    service = Service(1200, schedule=HALVED, window=False)
    simulate(service, 180.0, clients=3)
    assert service.use(60.0, 120.0, 600) >= 0.9
    assert service.use(150.0, 180.0, 1200) >= 0.97
    assert service.refused_part(0.0, 180.0) <= 0.01


def test_a_halved_limit_is_no_lock_out_where_refused_calls_count():
    service = Service(1200, burst_s=0.2, refused_count=True, schedule=HALVED)
    simulate(service, 180.0, clients=3)
    assert service.use(95.0, 120.0, 600) >= 0.6
    assert service.use(150.0, 180.0, 1200) >= 0.97
    assert service.refused_part(0.0, 180.0) <= 0.02


def test_a_rate_that_may_not_rise_fast_rises_slowly():
    service = Service(1200, burst_rule=True)
    simulate(service, 120.0)
    assert service.use(60.0, 120.0, 1200) >= 0.97
    assert service.refused_part(0.0, 120.0) <= 0.02


def test_an_unknown_limit_is_found():
    service = Service(1200, window=False)

    async def main(loop):
        cluster = Cluster(loop, service, Governor(None, None))
        jobs = [cluster.start("client", 100)]
        await asyncio.sleep(150.0)
        assert jobs

    run(main)
    assert service.use(60.0, 150.0, 1200) >= 0.8
    assert service.refused_part(60.0, 150.0) <= 0.02


def test_a_share_is_kept():
    service = Service(1200)
    simulate(service, 40.0, share=0.5)
    assert 0.485 <= service.use(8.0, 38.0, 1200) <= 0.5


def test_the_death_of_the_governor_and_of_a_client():
    service = Service(1200, burst_s=0.2)

    async def main(loop):
        cluster = Cluster(loop, service, Governor(1200, None))
        jobs = [cluster.start(f"client {i}", 60) for i in range(3)]
        await asyncio.sleep(30.0)
        cluster.governor = Governor(1200, None, recovering=True)
        died_s = loop.time()
        await asyncio.sleep(30.0)
        for task in jobs[0][1]:
            task.cancel()
        await asyncio.sleep(20.0)
        return died_s

    died_s = run(main)
    assert service.use(died_s, died_s + HORIZON_S, 1200) <= 1.3  # the turns that the dead one had given
    assert service.use(died_s + 6.0, 60.0, 1200) >= 0.97
    assert service.use(62.0, 79.0, 1200) >= 0.97
    assert not service.refused
    assert service.most_in(1.0) <= 25


def test_two_jobs_share_evenly_whenever_they_come_and_whatever_their_size():
    service = Service(1200)

    async def main(loop):
        cluster = Cluster(loop, service, Governor(1200, None))
        jobs = [cluster.start("large", 300)]
        await asyncio.sleep(20.0)
        before = dict(cluster.answered)
        jobs.append(cluster.start("small", 60))
        await asyncio.sleep(40.0)
        assert jobs
        return cluster.answered["large"] - before["large"], cluster.answered["small"]

    large, small = run(main)
    assert 0.8 <= small / large <= 1.25
    assert service.use(8.0, 58.0, 1200) >= 0.97


def test_with_a_small_quota_nobody_starves():
    service = Service(120)
    cluster = simulate(service, 120.0, clients=8, workers=6)
    assert service.use(10.0, 118.0, 120) >= 0.95
    assert min(cluster.answered.values()) >= 20
    assert cluster.asked <= 40 * 120


def test_retry_after_stops_everyone():
    service = Service(1200, schedule=((20.0, 1.0), (21.0, 1200.0)), retry_after_s=10.0, window=False)
    simulate(service, 60.0, clients=3)
    assert service.use(22.0, 29.0, 1200) == 0.0
    assert service.use(44.0, 60.0, 1200) >= 0.9
