from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuku.quota.pacer import MOST_CREDIT_S, MOST_HASTE, Pacer

GAPS_S = st.lists(st.floats(0.0, 3.0), min_size=1, max_size=60)
RATES = st.floats(0.5, 200.0)


@given(gaps_s=GAPS_S, rate=RATES, tokens=st.lists(st.integers(0, 5_000), min_size=60, max_size=60), tpm=RATES)
def test_whenever_requests_come_they_start_evenly_spaced_in_both_dimensions(gaps_s, rate, tokens, tpm):
    pacer = Pacer(rate, 100 * tpm)
    now_s, starts = 0.0, []
    for gap_s, used in zip(gaps_s, tokens, strict=False):
        now_s += gap_s
        starts.append(pacer.take(now_s, used))
        assert starts[-1] >= now_s
    for i in range(1, len(starts)):
        spacing_s = max(1.0 / rate, tokens[i - 1] / (100 * tpm))
        assert starts[i] - starts[i - 1] >= spacing_s - 1e-6


@given(gaps_s=GAPS_S, rate=RATES)
def test_nobody_waits_longer_than_need_be(gaps_s, rate):
    pacer = Pacer(rate)
    now_s, free_s = 0.0, -math.inf
    for gap_s in gaps_s:
        now_s += gap_s
        start_s = pacer.take(now_s, 100)
        assert start_s == pytest.approx(max(now_s, free_s))
        free_s = start_s + 1.0 / rate


@given(errors=st.lists(st.integers(-80, 400), min_size=5, max_size=80), data=st.data())
def test_what_was_used_beyond_the_estimate_is_paid_for(errors, data):
    """However corrections come, the tokens used up to any turn fit into the time there was, but for those open."""
    pacer = Pacer(None, 1_000.0)
    used, open_errors = 0.0, []
    for error in errors:
        start_s = pacer.take(0.0, 100.0)
        assert used - sum(e for e in open_errors if e > 0) <= 1_000.0 * start_s + 1e-6
        used += 100 + error
        open_errors.append(error)
        for _ in range(data.draw(st.integers(0, len(open_errors)))):
            settled = open_errors.pop(0)
            pacer.settle(100, 100 + settled)


def test_tokens_given_back_make_the_next_requests_sooner_but_not_all_at_once():
    pacer = Pacer(None, 100.0)
    pacer.take(0.0, 50)
    pacer.settle(50, 0)
    starts = [pacer.take(0.0, 50) for _ in range(8)]
    spacings = [b - a for a, b in itertools.pairwise(starts)]
    assert spacings[:5] == pytest.approx([0.5 * (1 - MOST_HASTE)] * 5)
    assert spacings[5:] == pytest.approx([0.5] * 2)


def test_tokens_given_back_are_forgotten_when_nobody_had_to_wait_and_are_bounded():
    pacer = Pacer(None, 100.0)
    pacer.take(0.0, 50)
    pacer.settle(50, 0)
    pacer.take(10.0, 50)
    assert pacer.free_s == pytest.approx(10.5)
    for _ in range(100):
        pacer.settle(50, 0)
    starts = [pacer.take(0.0, 50) for _ in range(40)]
    assert 40 * 0.5 - (starts[-1] + 0.5 - 10.5) <= MOST_CREDIT_S + 1e-6


def test_a_changed_rate_holds_at_once():
    pacer = Pacer(0.1)
    pacer.take(0.0, 0)
    assert pacer.free_s == pytest.approx(10.0)
    pacer.requests.rate = 10.0
    assert pacer.free_s == pytest.approx(0.1)
    pacer.requests.rate = None
    assert [pacer.take(0.05, 0) for _ in range(3)] == [0.05] * 3
