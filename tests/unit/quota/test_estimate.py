from __future__ import annotations

import random

import pytest

from tuku.quota.estimate import TokenScale


def test_estimates_that_are_off_by_a_factor_are_put_right():
    scale = TokenScale()
    for _ in range(200):
        scale.close(100)
        scale.learn(100, 250)
    assert scale.charge(40) == pytest.approx(100, rel=0.02)


def test_one_request_alone_does_not_upset_it():
    scale = TokenScale()
    scale.learn(100, 100_000)
    for _ in range(300):
        scale.learn(100, 100)
    assert scale.factor < 5.0


def test_what_was_charged_is_what_is_closed_when_all_have_ended():
    scale, dice = TokenScale(), random.Random(1)
    charged = closed = 0.0
    under_way = []
    for _ in range(500):
        under_way.append(dice.randint(50, 500))
        charged += scale.charge(under_way[-1])
        if dice.random() < 0.7:
            estimated = under_way.pop(dice.randrange(len(under_way)))
            closed += scale.close(estimated)
            scale.learn(estimated, estimated * 2)
    closed += sum(scale.close(estimated) for estimated in under_way)
    assert closed == pytest.approx(charged)


def test_requests_of_a_governor_that_died_are_closed_at_what_is_known():
    scale = TokenScale()
    assert scale.close(100) == 100.0
    assert scale.close(0) == 0.0
