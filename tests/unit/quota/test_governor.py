from __future__ import annotations

import itertools
import pickle

import pytest

from tuku.quota import HORIZON_S, Governor, Grant, Refusal, Settlement
from tuku.quota.adaptive import PACE


def warm(requests_per_min=1200, tokens_per_min=None, **options):
    """A governor at full speed at 10 s, and that moment."""
    governor = Governor(requests_per_min, tokens_per_min, **options)
    now_s = 0.0
    while now_s < 10.0:
        governor.lease(now_s, "client", [100] * 50)
        now_s += 0.1
    return governor, now_s


def test_turns_are_no_further_ahead_than_the_horizon_and_evenly_spaced():
    governor, now_s = warm()
    grant = governor.lease(now_s + 1.0, "client", [100] * 100)
    assert len(grant.delays_s) == int(HORIZON_S * 20 * PACE) + 1
    assert grant.delays_s[0] == 0.0
    assert grant.delays_s[-1] <= HORIZON_S
    spacings = [b - a for a, b in zip(grant.delays_s, grant.delays_s[1:], strict=False)]
    assert spacings == pytest.approx([1.0 / (20 * PACE)] * len(spacings))
    assert 0.0 < grant.again_s < HORIZON_S


def test_who_gets_all_it_asked_for_need_not_ask_again():
    governor, now_s = warm()
    assert governor.lease(now_s + 1.0, "client", [100]) == Grant((0.0,), 0.0)
    assert governor.lease(now_s + 1.0, "client", []) == Grant((), 0.0)


def test_each_of_three_clients_gets_its_part_of_the_horizon():
    governor, now_s = warm(6000)
    now_s += 3.0
    for client in "abc":
        governor.lease(now_s, client, [100])
    lengths = [len(governor.lease(now_s, client, [100] * 100).delays_s) for client in "abc"]
    assert min(lengths) >= 0.25 * HORIZON_S * 100 * PACE
    assert sum(lengths) <= HORIZON_S * 100 * PACE + 3


def test_one_that_replaces_a_dead_one_waits_and_starts_slowly():
    governor = Governor(1200, None, recovering=True)
    grant = governor.lease(100.0, "client", [100] * 50)
    assert len(grant.delays_s) <= 1
    assert all(delay_s >= HORIZON_S - 1e-6 for delay_s in grant.delays_s)
    governor.report(100.1, [Settlement(100, 90, 5.0)], [Refusal("requests", 100, 4.0)])
    turns = sum(len(governor.lease(100.0 + HORIZON_S + i / 10, "client", [100] * 50).delays_s) for i in range(10))
    assert 1 <= turns <= 5


def test_after_a_rest_it_starts_slowly_again():
    governor, now_s = warm()
    assert governor.snapshot(now_s).requests_phase == "hold"
    assert len(governor.lease(now_s + 60.0, "client", [100] * 50).delays_s) <= 2
    assert governor.snapshot(now_s).requests_phase == "start"


def test_retry_after_is_waited_for_but_not_for_ever():
    governor, now_s = warm()
    governor.report(now_s, refused=[Refusal("requests", 100, 0.05, retry_after_s=7.0)])
    assert governor.lease(now_s + 6.0, "client", [100]).delays_s == ()
    assert governor.lease(now_s + 6.9, "client", [100]).delays_s == pytest.approx((0.1,))
    governor.report(now_s + 8.0, refused=[Refusal("requests", 100, 0.05, retry_after_s=1e9)])
    assert governor.snapshot(now_s + 8.0).blocked_s <= 120.0


def test_each_dimension_slows_down_for_itself():
    governor, now_s = warm(1200, 600_000)
    before = governor.snapshot(now_s)
    governor.report(now_s, refused=[Refusal("tokens", 100, 0.05)])
    after = governor.snapshot(now_s)
    assert after.tokens_per_s < before.tokens_per_s
    assert after.requests_per_s == before.requests_per_s
    governor.report(now_s, refused=[Refusal("requests", 100, 0.05)])
    assert governor.snapshot(now_s).requests_per_s < before.requests_per_s


def test_the_snapshot_counts_and_messages_travel():
    governor, now_s = warm()
    governor.report(now_s, [Settlement(100, 90, 1.0), Settlement(100, 0, None)], [Refusal("burst")])
    snapshot = pickle.loads(pickle.dumps(governor.snapshot(now_s)))
    assert (snapshot.settled, snapshot.refused, snapshot.tokens) == (2, 1, 90)
    assert snapshot.requests > 100
    assert snapshot.blocked_s == 0.0


def test_a_quota_of_one_a_minute_gives_one_a_minute():
    governor = Governor(1, None)
    now_s, starts = 0.0, []
    while now_s < 600.0:
        grant = governor.lease(now_s, "client", [100])
        starts += [now_s + delay_s for delay_s in grant.delays_s]
        now_s += grant.again_s or 0.5
    assert 9 <= len(starts) <= 11
    assert min(b - a for a, b in itertools.pairwise(starts)) >= 60.0
