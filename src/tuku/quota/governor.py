"""Who may send how many requests when, for one account and model. Pure: the time is passed in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tuku.quota.adaptive import AdaptiveRate, Phase
from tuku.quota.askers import Askers
from tuku.quota.estimate import TokenScale
from tuku.quota.messages import Grant, Refusal, Settlement
from tuku.quota.pacer import Pacer

HORIZON_S = 0.3
"""Turns are given no further ahead: what a holder that dies takes with it, and how late a slower rate takes hold."""

IDLE_S = 5.0
"""After so long without a turn, the next ones begin with a slow start: services refuse rates that rise at once."""

LEAST_REQUESTS_PER_S = 1.0
"""A slow start does not begin slower: with a small quota there is nothing to be gained by it."""

MOST_RETRY_AFTER_S = 120.0
"""A quota recovers within a minute; a service that says to wait for longer is asked again all the same."""

LATE_S = 0.1
"""So much later than its turn a request may be sent by a busy worker, as far as the governor can tell."""

UNKNOWN_AGE_S = 0.5
"""When a refused request was sent whose age nobody knows."""


@dataclass(frozen=True)
class Snapshot:
    """How a governor is doing: totals since it began, rates of this moment.

    Attributes:
        requests: turns given out.
        tokens: used by what was settled.
        settled: requests that ended otherwise than by throttling. Likewise `refused`.
        requests_per_s: how fast it goes at most; None: without bound. Likewise `tokens_per_s`.
        requests_phase: see `AdaptiveRate.phase`. Likewise `tokens_phase`.
        blocked_s: seconds until it gives out turns again, as the service asked for.
    """

    requests: int
    tokens: int
    settled: int
    refused: int
    requests_per_s: float | None
    tokens_per_s: float | None
    requests_phase: Phase
    tokens_phase: Phase
    blocked_s: float


class Governor:
    """Turns for all clients of one account and model.

    Args:
        requests_per_min: the service's limit; None: not known. Likewise `tokens_per_min`.
        share: part of the limits to use, in (0, 1].
        recovering: it takes the place of one that died: it waits until the turns of that one are over.
    """

    def __init__(
        self,
        requests_per_min: float | None,
        tokens_per_min: float | None,
        share: float = 1.0,
        recovering: bool = False,
    ) -> None:
        self._requests = AdaptiveRate(_per_s(requests_per_min, share), LEAST_REQUESTS_PER_S)
        self._tokens = AdaptiveRate(_per_s(tokens_per_min, share))
        self._pacer = Pacer()
        self._scale = TokenScale()
        self._askers = Askers(HORIZON_S)
        self._recovering = recovering
        self._blocked_s = -math.inf
        self._last_s = -math.inf
        self._totals = {"requests": 0, "tokens": 0, "settled": 0, "refused": 0}

    def lease(self, now_s: float, client: str, wanted: Sequence[int]) -> Grant:
        """Turns for as many of the wanted requests as is fair.

        Args:
            now_s: now, on the governor's clock.
            client: who asks; each gets as much as any other that asks.
            wanted: for each request the tokens it is expected to use, in the order in which they will be sent.
        """
        self._advance(now_s)
        asker = self._askers.visit(client, now_s)
        starts: list[float] = []
        for estimated in wanted:
            if self._earliest(now_s) > now_s + HORIZON_S or not self._askers.may_have_more(asker, now_s):
                break
            starts.append(self._take(now_s, estimated))
            asker.give(starts[-1], max(0.0, self._pacer.free_s - starts[-1]))
        again_s = 0.0
        if len(starts) < len(wanted):
            again_s = self._askers.again_s(asker, now_s, self._earliest(now_s))
        return Grant(tuple(start_s - now_s for start_s in starts), again_s)

    def report(self, now_s: float, settled: Sequence[Settlement] = (), refused: Sequence[Refusal] = ()) -> None:
        """Take notice of requests that have ended."""
        self._advance(now_s)
        for settlement in settled:
            self._settle(now_s, settlement)
        for refusal in refused:
            self._throttled(now_s, refusal)
        self._set_rates()

    def snapshot(self, now_s: float) -> Snapshot:
        """How it is doing."""
        return Snapshot(
            requests_per_s=self._requests.rate,
            tokens_per_s=self._tokens.rate,
            requests_phase=self._requests.phase,
            tokens_phase=self._tokens.phase,
            blocked_s=max(0.0, self._blocked_s - now_s),
            **self._totals,
        )

    def _advance(self, now_s: float) -> None:
        if self._recovering:
            self._recovering, self._blocked_s = False, now_s + HORIZON_S
        if now_s - self._pacer.free_s > IDLE_S and now_s > self._blocked_s:
            for adaptive in (self._requests, self._tokens):
                adaptive.idled(now_s)
        self._requests.advance(now_s)
        self._tokens.advance(now_s)
        self._set_rates()

    def _set_rates(self) -> None:
        self._pacer.requests.rate = self._requests.rate
        self._pacer.tokens.rate = self._tokens.rate

    def _earliest(self, now_s: float) -> float:
        return max(now_s, self._blocked_s, self._pacer.free_s)

    def _take(self, now_s: float, estimated: int) -> float:
        charge = self._scale.charge(estimated)
        start_s = self._pacer.take(self._earliest(now_s), charge)
        self._requests.granted(start_s, 1.0)
        self._tokens.granted(start_s, charge)
        self._last_s = start_s
        self._totals["requests"] += 1
        return start_s

    def _settle(self, now_s: float, settlement: Settlement) -> None:
        self._totals["settled"] += 1
        self._totals["tokens"] += settlement.used
        self._pacer.settle(self._scale.close(settlement.estimated), settlement.used)
        if settlement.used and settlement.estimated:
            self._scale.learn(settlement.estimated, settlement.used)
        if settlement.age_s is not None:
            self._requests.answered(now_s, now_s - settlement.age_s)
            self._tokens.answered(now_s, now_s - settlement.age_s)

    def _throttled(self, now_s: float, refusal: Refusal) -> None:
        self._totals["refused"] += 1
        self._scale.close(refusal.estimated)  # not given back: refused requests may count
        sent_s = now_s - (UNKNOWN_AGE_S if refusal.age_s is None else refusal.age_s)
        if refusal.retry_after_s is not None:
            self._blocked_s = max(self._blocked_s, now_s + min(refusal.retry_after_s, MOST_RETRY_AFTER_S))
        effect_s = max(now_s, self._last_s) + LATE_S
        adaptive = self._tokens if refusal.kind == "tokens" else self._requests
        if adaptive.refused(now_s, sent_s, effect_s) and refusal.kind == "burst":
            adaptive.gentler()


def _per_s(per_min: float | None, share: float) -> float | None:
    return None if per_min is None else per_min * share / 60.0
