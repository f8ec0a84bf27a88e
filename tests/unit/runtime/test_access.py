from __future__ import annotations

import asyncio
from dataclasses import replace

from fakes.models import FakeEmbedder
from tuku.config import Config, QuotaShareConfig
from tuku.runtime.access import local_access
from tuku.terms import Charge, Terms

MODEL = FakeEmbedder().description


def test_a_model_without_terms_needs_no_access():
    assert local_access(MODEL, Config()) is None
    assert local_access(None, Config()) is None


def test_access_is_within_the_configured_share_of_the_quota():
    config = Config(quota=QuotaShareConfig(share=0.1))
    model = replace(MODEL, terms=Terms(requests_per_min=6_000))

    async def seconds_for(requests: int) -> float:
        access = local_access(model, config)
        assert access is not None
        assert access.retry.attempts == config.retry.attempts
        assert access.retry.max_outage_s < config.retry.max_outage_s  # somebody is waiting
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for _ in range(requests):
            charge = Charge(1)
            await access.quota.acquire(charge)
            access.quota.settle(charge, charge)
        return loop.time() - begun

    # 600 a minute are 10 a second; the whole quota would be 100.
    assert asyncio.run(seconds_for(6)) > 0.3
