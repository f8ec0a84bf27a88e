"""The run's books: what may be spent, what was asked when, and when it is over."""

from __future__ import annotations

from tuku.config import LimitsConfig
from tuku.runtime.ledger import Entry, Halt, Ledger, Returned, Use

NOTHING = Returned()


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_without_limits_everything_may_be_sent() -> None:
    ledger = Ledger(LimitsConfig())
    assert [ledger.reserve(1e9) for _ in range(1_000)] == [None] * 1_000


def test_calls_are_counted_whoever_sends_them_and_those_not_sent_come_back() -> None:
    ledger = Ledger(LimitsConfig(max_calls=3))
    assert [ledger.reserve(0.0) for _ in range(2)] == [None, None]
    ledger.report("a", {}, Returned(calls=1))
    assert [ledger.reserve(0.0) for _ in range(2)] == [None, None]
    halt = ledger.reserve(0.0)
    assert halt is not None
    assert "limits.max_calls = 3 is reached" in halt.message
    assert (halt.name, halt.finish) == ("StoppedError", True)
    assert ledger.enter("block") == Entry(halt)


def test_money_is_reserved_as_long_as_the_next_request_can_be_paid() -> None:
    ledger = Ledger(LimitsConfig(max_cost=1.0))
    assert [ledger.reserve(0.4) for _ in range(2)] == [None, None]
    ledger.report("a", {}, Returned(cost=0.3))
    ledger.report("a", {}, Returned(cost=0.35))  # a total, not a step
    assert ledger.reserve(0.4) is None
    halt = ledger.reserve(0.2)
    assert halt is not None
    assert "limits.max_cost = 1 is reached" in halt.message


def test_a_limit_of_zero_stops_before_the_first_call() -> None:
    assert Ledger(LimitsConfig(max_calls=0)).reserve(0.0) is not None


def test_minutes_count_from_the_first_report() -> None:
    clock = Clock()
    ledger = Ledger(LimitsConfig(max_minutes=2), clock)
    assert ledger.report("w", {}, NOTHING) is None
    clock.now += 119
    assert ledger.report("w", {}, NOTHING) is None
    clock.now += 2
    halt = ledger.report("w", {}, NOTHING)
    assert halt is not None
    assert "limits.max_minutes = 2" in halt.message


def test_the_first_reason_stays_and_nobody_enters_any_more() -> None:
    ledger = Ledger(LimitsConfig())
    assert ledger.enter("a") == Entry(None)
    ledger.stop(Halt("StoppedError", "first", ""))
    ledger.stop(Halt("StoppedError", "second", ""))
    assert ledger.enter("b") == Entry(Halt("StoppedError", "first", ""))
    assert ledger.entered_blocks() == {"a"}
    assert ledger.reserve(0.0) == Halt("StoppedError", "first", "")


def test_a_block_that_is_taken_up_again_is_known() -> None:
    ledger = Ledger(LimitsConfig())
    assert [ledger.enter(block).again for block in ("a", "b", "a", "a")] == [False, False, True, True]
    assert ledger.entered_blocks() == {"a", "b"}


def test_contents_are_claimed_by_block() -> None:
    ledger = Ledger(LimitsConfig())
    assert ledger.claim("a", [b"content"]) == [True]
    assert ledger.claim("b", [b"content", b"another"]) == [False, True]


def test_no_claim_outlasts_its_round() -> None:
    """Else a row that waited for one that failed would wait for ever."""
    ledger = Ledger(LimitsConfig())
    ledger.claim("a", [b"content"])
    ledger.next_round()
    assert ledger.claim("b", [b"content"]) == [True]


def test_a_reason_that_lets_nothing_more_out_takes_the_place_of_one_that_does() -> None:
    ledger = Ledger(LimitsConfig(max_calls=0))
    ledger.reserve(0.0)
    ledger.stop(Halt("StoppedError", "Overdue.", ""))
    ledger.stop(Halt("StoppedError", "Later.", ""))
    assert ledger.halt == Halt("StoppedError", "Overdue.", "")


def test_totals_become_steps_in_the_second_in_which_they_are_heard_of() -> None:
    clock = Clock()
    ledger = Ledger(LimitsConfig(), clock)
    ledger.report("a", {"caption": Use(2, 200, 0)}, NOTHING)
    clock.now += 1
    ledger.report("a", {"caption": Use(5, 500, 1)}, NOTHING)
    ledger.report("b", {"caption": Use(1, 100, 0), "embed": Use(1, 10, 0)}, NOTHING)
    clock.now += 1
    ledger.report("a", {"caption": Use(5, 500, 1)}, NOTHING)
    assert ledger.series() == {
        "caption": [(0, Use(2, 200, 0)), (1, Use(4, 400, 1))],
        "embed": [(1, Use(1, 10, 0))],
    }
