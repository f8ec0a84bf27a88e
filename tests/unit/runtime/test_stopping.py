"""A run that is to be stopped ends as soon as what was under way has come in."""

from __future__ import annotations

import pytest

from tuku.errors import InterruptedRunError, StoppedError
from tuku.progress import SilentProgress
from tuku.runtime.blocks import BlockStats
from tuku.runtime.ledger import Halt
from tuku.runtime.stopping import Stopping

BUDGET = Halt("StoppedError", "limits.max_calls = 3 is reached.", "Go on.")
SIGNAL = InterruptedRunError("Stopped by SIGTERM.", "Go on.")


class Control:
    """A ledger where these blocks were taken up."""

    def __init__(self, *entered: str) -> None:
        self.entered = set(entered)
        self.halts: list[Halt] = []

    def halt_and_list(self, halt: Halt) -> set[str]:
        self.halts.append(halt)
        return self.entered


class Told(SilentProgress):
    phases: tuple[str, ...] = ()

    def phase(self, name: str, detail: str = "") -> None:
        self.phases += (f"{name}: {detail}",)


def stopping(control: Control, blocks: str = "abcd", progress: SilentProgress | None = None) -> Stopping:
    return Stopping(control.halt_and_list, set(blocks), 30.0, progress or SilentProgress())


def done(block: str, fatal: Halt | None = None) -> BlockStats:
    return BlockStats(block=block, fatal=fatal)


def test_without_a_reason_it_goes_on_and_asks_nobody() -> None:
    control = Control("a", "b")
    run = stopping(control)
    assert [run.after(done(block)) for block in "ab"] == [False, False]
    run.finish()
    assert control.halts == []


def test_blocks_under_way_are_waited_for_and_those_not_taken_up_are_not() -> None:
    run = stopping(Control("a", "b", "c"))
    assert [run.after(done("a")), run.after(done("b", BUDGET)), run.after(done("d", BUDGET))] == [False] * 3
    assert run.after(done("c", BUDGET))
    with pytest.raises(StoppedError, match="max_calls"):
        run.finish()


def test_a_reason_that_lets_go_what_has_leave_is_not_made_stricter() -> None:
    control = Control("a")
    stopping(control).after(done("a", BUDGET))
    assert control.halts == [BUDGET._replace(finish=True)]


def test_after_a_signal_nothing_more_is_sent_and_the_signal_is_the_reason() -> None:
    control = Control("a", "b")
    run = stopping(control)
    run.after(done("a", BUDGET))
    assert run.by_signal(SIGNAL)  # b is under way
    assert control.halts[-1] == Halt("InterruptedRunError", SIGNAL.message, SIGNAL.remedy, finish=False)
    assert run.after(done("b"))
    with pytest.raises(InterruptedRunError, match="SIGTERM"):
        run.finish()


def test_a_signal_that_finds_nothing_under_way_has_nothing_to_wait_for() -> None:
    assert not stopping(Control()).by_signal(SIGNAL)
    run = stopping(Control("a"))
    run.after(done("a"))
    assert not run.by_signal(SIGNAL)


def test_blocks_of_earlier_rounds_are_not_waited_for() -> None:
    run = stopping(Control("earlier", "a"))
    assert run.by_signal(SIGNAL)
    assert run.after(done("a"))


def test_people_are_told_what_is_waited_for() -> None:
    told = Told()
    stopping(Control(), progress=told).by_signal(SIGNAL)
    assert told.phases == ("stop: Stopped by SIGTERM. What is under way is finished, 30 s at most.",)
