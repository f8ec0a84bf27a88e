from __future__ import annotations

import pytest

from tuku.quota.adaptive import FIRST_PART, HOLD_S, MOST_PAUSE_S, PACE, AdaptiveRate


def advance(adaptive, since_s, until_s):
    """The rates on the way, ten a second; a request goes out at each."""
    rates = []
    for tenth in range(int(since_s * 10), int(until_s * 10)):
        adaptive.advance(tenth / 10)
        adaptive.granted(tenth / 10, 1.0)
        rates.append(adaptive.rate)
    return rates


def steady(limit_per_s=20.0):
    adaptive = AdaptiveRate(limit_per_s)
    advance(adaptive, 0.0, 20.0)
    assert (adaptive.phase, adaptive.rate) == ("hold", PACE * limit_per_s)
    return adaptive


def test_slow_start_doubles_each_second_at_most_and_is_done_in_six():
    rates = advance(AdaptiveRate(20.0), 0.0, 6.0)
    assert rates[0] == pytest.approx(FIRST_PART * 20.0, rel=0.1)
    assert all(later <= 2.0 * earlier + 1e-9 for earlier, later in zip(rates, rates[10:], strict=False))
    assert rates[-1] == PACE * 20.0
    assert max(rates) <= PACE * 20.0


def test_a_small_quota_does_not_start_slower_than_need_be():
    adaptive = AdaptiveRate(0.5, least_per_s=1.0)
    assert adaptive.rate == pytest.approx(PACE * 0.5)


def test_a_storm_of_refusals_counts_once():
    adaptive = steady()
    assert adaptive.refused(20.0, 19.95, effect_s=20.4)
    after = adaptive.rate
    assert after < PACE * 20.0
    assert not any(adaptive.refused(20.1, 19.9 + i / 100, effect_s=20.5) for i in range(5))
    assert adaptive.rate == after


def test_jitter_costs_next_to_nothing():
    adaptive = steady()
    adaptive.refused(20.0, 19.95, effect_s=20.4)
    rates = advance(adaptive, 20.0, 45.0)
    assert sum(rates) / len(rates) >= 0.97 * PACE * 20.0
    assert rates[-1] == PACE * 20.0


def test_a_few_refusals_among_thousands_change_nothing():
    adaptive = steady(500.0)
    for i in range(5_000):
        adaptive.granted(20.0 + i / 500, 1.0)
    assert not adaptive.refused(30.0, 29.9, effect_s=30.3)
    assert adaptive.rate == PACE * 500.0


def test_a_failed_probe_goes_back_to_what_was_good_and_holds_longer():
    adaptive = steady()
    for now_s in (20.0, 20.6, 21.2):
        adaptive.refused(now_s, now_s, effect_s=now_s + 0.3)
    now_s = 21.2
    while adaptive.phase != "probe":
        advance(adaptive, now_s, now_s + 0.1)
        now_s += 0.1
        assert now_s < 60.0
    good = adaptive.rate
    advance(adaptive, now_s, now_s + 1.0)
    assert good < adaptive.rate < adaptive.top
    adaptive.refused(now_s + 1.0, now_s + 1.0, effect_s=now_s + 1.3)
    assert good <= adaptive.rate < 1.05 * good
    rates = advance(adaptive, now_s + 1.0, now_s + 1.3 + 1.3 * HOLD_S)
    assert len(set(rates)) == 1


def test_a_service_that_refuses_everything_is_hardly_asked_and_then_carefully():
    adaptive = steady()
    now_s = 20.0
    for _ in range(300):
        adaptive.advance(now_s)
        adaptive.granted(now_s, 1.0)
        adaptive.refused(now_s, now_s, effect_s=now_s)
        now_s += 1.0 / adaptive.rate
    assert adaptive.phase == "locked"
    assert adaptive.rate == pytest.approx(1.0 / MOST_PAUSE_S)
    adaptive.answered(now_s + 5.0, sent_s=now_s)
    assert adaptive.phase == "start"
    assert adaptive.rate == pytest.approx(FIRST_PART * 20.0)
    rates = advance(adaptive, now_s + 5.0, now_s + 9.0)
    assert rates[0] <= 3.0
    assert max(rates) <= 0.6 * PACE * 20.0


def test_an_unknown_limit_is_no_bound_until_the_service_refuses():
    adaptive = AdaptiveRate(None)
    assert advance(adaptive, 0.0, 10.0) == [None] * 100
    adaptive.refused(10.0, 9.9, effect_s=10.0)
    assert adaptive.rate == pytest.approx(10.0, rel=0.2)  # what went out, less a little
    assert adaptive.rate < 10.0


def test_rates_that_rise_too_fast_are_made_to_rise_slower():
    adaptive, usual = AdaptiveRate(20.0), AdaptiveRate(20.0)
    adaptive.gentler()
    assert advance(adaptive, 0.0, 2.0)[-1] == pytest.approx(advance(usual, 0.0, 1.0)[-1], rel=0.1)
