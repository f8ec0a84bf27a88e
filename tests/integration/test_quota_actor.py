"""One quota for a whole cluster: clients share it, and it survives the death of the actor that keeps it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from tuku.config import QuotaShareConfig, RuntimeConfig
from tuku.protocols import ModelDescription
from tuku.runtime.cluster import cluster
from tuku.runtime.quota import cluster_quota
from tuku.terms import Charge, Terms

pytestmark = pytest.mark.ray

PER_S = 20
MODEL = ModelDescription("fake", "captioner", "1", terms=Terms(requests_per_min=60 * PER_S))


@pytest.fixture(scope="module", autouse=True)
def ray_cluster() -> Iterator[None]:
    with cluster(RuntimeConfig(workers=2)):
        yield


async def pull(account: str, seconds: float, sent: list[float]) -> None:
    """Send as fast as the quota lets one client."""
    quota = cluster_quota(MODEL, QuotaShareConfig(account=account))
    end = time.monotonic() + seconds

    async def one_after_the_other() -> None:
        while time.monotonic() < end:
            await quota.acquire(Charge(1))
            sent.append(time.monotonic())
            quota.settle(Charge(1), Charge(1))

    await asyncio.gather(*[one_after_the_other() for _ in range(8)])
    await quota.flush()


def most_in(sent: list[float], window_s: float) -> int:
    ordered = sorted(sent)
    return max(sum(1 for other in ordered if 0 <= other - start < window_s) for start in ordered)


def test_clients_share_one_quota_and_use_it() -> None:
    sent: list[list[float]] = [[], [], []]

    async def together() -> None:
        await asyncio.gather(*[pull("shared", 10, each) for each in sent])

    asyncio.run(together())
    steady = [moment for each in sent for moment in each]
    start = min(steady)
    later = [moment for moment in steady if start + 6 < moment < start + 9.5]
    assert 0.85 < len(later) / (3.5 * PER_S) <= 1.0
    assert most_in(steady, 1.0) <= 1.25 * PER_S
    assert max(map(len, sent)) < 1.5 * min(map(len, sent))


def test_a_quota_whose_actor_dies_goes_on_without_an_overrun() -> None:
    import ray

    sent: list[float] = []

    async def with_a_death() -> None:
        pulling = asyncio.create_task(pull("mortal", 9, sent))
        await asyncio.sleep(5)
        actor = await asyncio.to_thread(ray.get_actor, "quota/mortal/captioner", "tuku")
        ray.kill(actor, no_restart=True)
        await pulling

    asyncio.run(with_a_death())
    assert most_in(sent, 1.0) <= 1.25 * PER_S
    assert sum(1 for moment in sent if moment > max(sent) - 2) > PER_S / 2


def test_another_account_has_another_quota() -> None:
    import ray

    first, second = ([], [])

    async def together() -> None:
        await asyncio.gather(pull("one", 2, first), pull("two", 2, second))

    asyncio.run(together())
    names = {actor["name"] for actor in ray.util.list_named_actors(all_namespaces=True)}
    assert {"quota/one/captioner", "quota/two/captioner"} <= names
    assert min(len(first), len(second)) >= 3
