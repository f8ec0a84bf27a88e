"""A service that enforces a quota as DashScope does, and workers that ask it, in virtual time."""

from __future__ import annotations

import asyncio
import math
import random
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field

from tuku.quota import LeasedQuota
from tuku.terms import Charge

LATENCY_MEDIAN_S, LATENCY_P99_S = 1.5, 8.0
SIGMA = math.log(LATENCY_P99_S / LATENCY_MEDIAN_S) / 2.326


class Limit:
    """So much in any 60 s, and a bucket of `burst_s` seconds' worth: one dimension."""

    def __init__(self, per_min, burst_s, window=True):
        self.burst_s = burst_s
        self.window_s = 60.0 if window else 0.0
        self.level_s, self.level = 0.0, math.inf
        self.window, self.total = deque(), 0.0
        self.per_min = per_min

    def allows(self, now_s, amount):
        while self.window and self.window[0][0] <= now_s - self.window_s:
            self.total -= self.window.popleft()[1]
        per_s = self.per_min / 60.0
        self.level = min(max(self.burst_s * per_s, 1.0), self.level + (now_s - self.level_s) * per_s)
        self.level_s = now_s
        return self.level >= amount and self.total + amount <= self.per_min

    def take(self, now_s, amount):
        self.level = max(0.0, self.level - amount)
        self.window.append((now_s, amount))
        self.total += amount


@dataclass
class Service:
    """Refuses what is too much; `schedule` changes the limit of requests: (from second, limit a minute)."""

    requests_per_min: float
    tokens_per_min: float = math.inf
    burst_s: float = 1.0
    refused_count: bool = False
    tokens_of: object = lambda random: 300
    schedule: tuple = ()
    seed: int = 0
    retry_after_s: float | None = None
    window: bool = True
    burst_rule: bool = False
    accepted: list = field(default_factory=list)
    refused: list = field(default_factory=list)
    tokens: list = field(default_factory=list)

    def __post_init__(self):
        self.random = random.Random(self.seed)
        self.requests_limit = Limit(self.requests_per_min, self.burst_s, self.window)
        self.tokens_limit = Limit(self.tokens_per_min, self.burst_s) if self.tokens_per_min < math.inf else None
        self.schedule = deque(self.schedule)

    async def call(self, loop):
        """(throttling kind or None, tokens used)."""
        await asyncio.sleep(self.random.uniform(0.001, 0.008))
        now_s = loop.time()
        while self.schedule and self.schedule[0][0] <= now_s:
            self.requests_limit.per_min = self.schedule.popleft()[1]
        used = self.tokens_of(self.random)
        kind = "burst" if self.burst_rule and self.rises_too_fast(now_s) else None
        if not self.requests_limit.allows(now_s, 1):
            kind = kind or "requests"
        if self.tokens_limit and not self.tokens_limit.allows(now_s, used):
            kind = kind or "tokens"
        if kind is None or self.refused_count:
            self.requests_limit.take(now_s, 1)
            if self.tokens_limit:
                self.tokens_limit.take(now_s, used)
        if kind:
            self.refused.append(now_s)
            await asyncio.sleep(self.random.uniform(0.02, 0.06))
            return kind, 0
        self.accepted.append(now_s)
        self.tokens.append(used)
        await asyncio.sleep(self.random.lognormvariate(math.log(LATENCY_MEDIAN_S), SIGMA))
        return None, used

    def rises_too_fast(self, now_s):
        """More than twice as many in the last 5 s as in the 5 s before, while at more than 0.3 of the limit."""
        last = len(self.accepted) - bisect_right(self.accepted, now_s - 5.0)
        before = bisect_right(self.accepted, now_s - 5.0) - bisect_right(self.accepted, now_s - 10.0)
        return last > 0.3 * 5.0 * self.requests_per_min / 60.0 and last > 2 * before

    def use(self, since_s, until_s, per_min):
        """Part of the limit that was used between these moments."""
        accepted = bisect_right(self.accepted, until_s) - bisect_right(self.accepted, since_s)
        return accepted / (per_min / 60.0 * (until_s - since_s))

    def token_use(self, since_s, until_s):
        used = sum(n for at, n in zip(self.accepted, self.tokens, strict=True) if since_s < at <= until_s)
        return used / (self.tokens_per_min / 60.0 * (until_s - since_s))

    def refused_part(self, since_s, until_s):
        refused = sum(1 for at in self.refused if since_s < at <= until_s)
        accepted = bisect_right(self.accepted, until_s) - bisect_right(self.accepted, since_s)
        return refused / max(1, refused + accepted)

    def most_in(self, window_s):
        """Most requests, refused ones too, that came within any window of this length."""
        moments = sorted(self.accepted + self.refused)
        return max(bisect_right(moments, at + window_s) - i for i, at in enumerate(moments))


class Cluster:
    """Workers around one governor that can be replaced."""

    def __init__(self, loop, service, governor, estimate=300):
        self.loop, self.service, self.governor, self.estimate = loop, service, governor, estimate
        self.asked = 0
        self.answered = {}

    def quota(self, client):
        """A quota for one worker; every message takes a millisecond or some."""

        async def lease(wanted):
            await asyncio.sleep(self.service.random.uniform(0.0005, 0.003))
            grant = self.governor.lease(self.loop.time(), client, wanted)
            self.asked += 1
            await asyncio.sleep(self.service.random.uniform(0.0005, 0.003))
            return grant

        async def report(settled, refused):
            await asyncio.sleep(self.service.random.uniform(0.0005, 0.003))
            self.governor.report(self.loop.time(), settled, refused)

        return LeasedQuota(lease, report)

    async def work(self, client, quota):
        """Ask for ever, one request after the other."""
        charge = Charge(tokens=self.estimate)
        while True:
            await quota.acquire(charge)
            kind, used = await self.service.call(self.loop)
            if kind:
                quota.throttled(charge, kind, self.service.retry_after_s)
                await asyncio.sleep(self.service.random.uniform(0.0, 2.0))
            else:
                self.answered[client] = self.answered.get(client, 0) + 1
                quota.settle(charge, Charge(tokens=used))

    def start(self, client, workers):
        """One process with so many requests at once."""
        quota = self.quota(client)
        tasks = [self.loop.create_task(self.work(client, quota)) for _ in range(workers)]
        return quota, tasks
