"""The run's books: what may be spent, what was asked when, and when it is over."""

from __future__ import annotations

import math

import pytest

from tuku.config import LimitsConfig
from tuku.runtime.ledger import Allowance, Halt, Ledger, Use

FREE = Allowance()


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_limits_one_grant_is_enough_for_ever() -> None:
    granted = Ledger(LimitsConfig()).grant("w", Allowance(1, 0.5))
    assert granted == Allowance(math.inf, math.inf)


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_together_never_get_more_calls_than_the_limit(workers: int) -> None:
    ledger, calls = Ledger(LimitsConfig(max_calls=100)), 0.0
    for turn in range(1_000):
        granted = ledger.grant(f"w{turn % workers}", Allowance(1, 0.01))
        if not isinstance(granted, Allowance):
            assert "limits.max_calls = 100" in granted[1]
            break
        assert granted.calls >= 1
        calls += granted.calls
    assert 99 < calls <= 100


def test_money_is_granted_as_long_as_the_next_request_can_be_paid() -> None:
    ledger, cost = Ledger(LimitsConfig(max_cost=1.0)), 0.0
    while isinstance(granted := ledger.grant("w", Allowance(1, 0.3)), Allowance):
        assert granted.cost >= 0.3
        cost += granted.cost
    assert cost <= 1.0
    assert granted[0] == "StoppedError"
    assert "limits.max_cost = 1 is reached" in granted[1]


def test_a_limit_of_zero_stops_before_the_first_call() -> None:
    assert Ledger(LimitsConfig(max_calls=0)).grant("w", Allowance(1, 0.0))[0] == "StoppedError"


def test_a_new_ledger_knows_again_what_was_granted_once_workers_have_reported() -> None:
    new = Ledger(LimitsConfig(max_calls=10))
    new.report("a", {}, Allowance(6, 0))
    new.report("b", {}, Allowance(4, 0))
    assert "max_calls" in new.grant("c", Allowance(1, 0))[1]


def test_minutes_count_from_the_first_report() -> None:
    clock = Clock()
    ledger = Ledger(LimitsConfig(max_minutes=2), clock)
    assert ledger.report("w", {}, FREE) is None
    clock.now += 119
    assert ledger.report("w", {}, FREE) is None
    clock.now += 2
    halt = ledger.report("w", {}, FREE)
    assert halt is not None
    assert "limits.max_minutes = 2" in halt[1]


def test_the_first_reason_stays_and_nobody_enters_any_more() -> None:
    ledger = Ledger(LimitsConfig())
    assert ledger.enter("a") is None
    ledger.stop(Halt("StoppedError", "first", ""))
    ledger.stop(Halt("StoppedError", "second", ""))
    assert ledger.enter("b") == Halt("StoppedError", "first", "")
    assert ledger.entered_blocks() == {"a"}
    assert ledger.grant("w", Allowance(1, 0)) == Halt("StoppedError", "first", "")


def test_totals_become_steps_in_the_second_in_which_they_are_heard_of() -> None:
    clock = Clock()
    ledger = Ledger(LimitsConfig(), clock)
    ledger.report("a", {"caption": Use(2, 200, 0)}, FREE)
    clock.now += 1
    ledger.report("a", {"caption": Use(5, 500, 1)}, FREE)
    ledger.report("b", {"caption": Use(1, 100, 0), "embed": Use(1, 10, 0)}, FREE)
    clock.now += 1
    ledger.report("a", {"caption": Use(5, 500, 1)}, FREE)
    assert ledger.series() == {
        "caption": [(0, Use(2, 200, 0)), (1, Use(4, 400, 1))],
        "embed": [(1, Use(1, 10, 0))],
    }
