"""Somebody is killed at a random moment of each phase: the next run goes on, and nothing is lost, doubled or wasted.

Milvus Lite serves within the driver, so it is the driver whose death is the embedded Milvus's too.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from kills.moments import PHASES, Scene, TooLateError, wait_for
from kills.night import Night, Place
from kills.victims import Killing, kill, second_node
from kills.witness import Bill
from kills.world import World, make_world

pytestmark = [pytest.mark.ray, pytest.mark.milvus, pytest.mark.timeout(1800)]

TRIES = 4
SEED = int(os.environ.get("KILL_SEED", "0"))
"""With the case it decides the moments, and whatever else there is to choose."""
SPREAD = ["--set", "runtime.workers=3", "--set", "runtime.worker_cpus=1"]  # one of them on the second node
SURVIVED = {"driver": -signal.SIGKILL, "worker": 0, "quota": 0, "node": 0, "ledger": 5}
"""How the run ends to which it happened."""

Strike = tuple[str, str]
"""Who is killed, and in which phase."""


@dataclass(frozen=True)
class Case:
    """One kill, or some one after the other.

    Attributes:
        strikes: whoever lives on through one of them is there for the next.
        follows: whether the lake had a night before.
        local: whether Ray is the driver's own, and not a standing cluster.
    """

    strikes: tuple[Strike, ...]
    follows: bool = False
    local: bool = False

    def __str__(self) -> str:
        names = [f"{victim}-{phase}" for victim, phase in self.strikes]
        return "-".join([*names, *["later"] * self.follows, *["local"] * self.local])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with make_world(tmp_path_factory.mktemp("kills")) as made:
        yield made


@dataclass
class Story:
    """What happened in a case, for whoever has to find out why it failed."""

    case: Case
    moments: list[str] = field(default_factory=list)
    killings: list[Killing] = field(default_factory=list)
    nights: list[Night] = field(default_factory=list)
    expected: list[int] = field(default_factory=list)
    bill: Bill = field(default_factory=lambda: Bill(0, 0, []))

    @property
    def codes(self) -> list[int]:
        return [night.wait() for night in self.nights]

    def __str__(self) -> str:
        killed = zip(self.case.strikes, self.moments, self.killings, strict=False)
        return "\n".join(
            [
                f"\n{self.case} (KILL_SEED={SEED})",
                *(f"{phase}, {moment}: killed {killing.who}" for (_, phase), moment, killing in killed),
                f"{self.bill}",
                *(f"--- run {number}: {night.said}" for number, night in enumerate(self.nights, 1)),
            ]
        )


def run_case(world: World, case: Case) -> tuple[Story, Place]:
    """Kill, and run until a run ends well; if one was over too soon, try again with earlier moments."""
    chance = random.Random(f"{case} {SEED}")
    world.undisturbed(follows=case.follows)
    for attempt in range(TRIES):
        story, place = Story(case), world.place(local=case.local)
        if case.follows:
            place.begin_as(world.before)
        world.server.reset()
        try:
            run_story(world, place, story, chance, part=0.5**attempt)
        except TooLateError:
            continue
        return story, place
    raise AssertionError(f"{story}\nIt was too late {TRIES} times.")


def run_story(world: World, place: Place, story: Story, chance: random.Random, part: float) -> None:
    """One run after the other, as long as they are killed."""
    with ExitStack() as stack:
        with_node = any(victim == "node" for victim, _ in story.case.strikes)
        node = stack.enter_context(second_node(world.head, world.env)) if with_node else None

        scenes: list[Scene] = []

        def go_on() -> None:
            story.nights.append(stack.enter_context(place.night(*(SPREAD if with_node else ()))))
            scenes.append(world.scene(story.nights[-1]))

        go_on()
        for victim, phase in story.case.strikes:
            night = story.nights[-1]
            story.moments.append(wait_for(phase, scenes[-1], chance, part))
            # The next run begins at once: what a driver has left behind still works.
            then = go_on if victim == "driver" else nothing
            story.killings.append(kill(victim, night, node, chance, then))
            if SURVIVED[victim] != 0:
                story.expected.append(SURVIVED[victim])
                night.wait()
            if victim == "ledger":
                go_on()
        story.expected.append(0)
        assert story.codes == story.expected, str(story)
    story.bill = Bill.of(world.server, [killing.death for killing in story.killings if killing.death is not None])


def nothing() -> None:
    """What is done between a kill and its end, if the run is to go on by itself."""


def requires_nothing_lost(world: World, case: Case) -> None:
    story, place = run_case(world, case)
    different = place.outcome().differences(world.undisturbed(follows=case.follows))
    assert not different, f"{story}\n{different}"
    assert not story.bill.unexcused, str(story)
    print(story)  # noqa: T201  `pytest -rP` shows what was killed and what it cost


def case(victim: str, *phases: str, follows: bool = False, local: bool = False) -> Case:
    return Case(tuple((victim, phase) for phase in phases), follows, local)


FAST_CASES = [
    Case((("driver", "embed"), ("driver", "commit"))),
]
ASKING = ("fetch", "caption", "embed", "write")
LONG_CASES = [
    *(case("driver", phase) for phase in PHASES),
    Case((("worker", "caption"), ("quota", "embed"))),
    Case((("node", "fetch"), ("worker", "caption"), ("quota", "embed"))),
    case("driver", *PHASES, local=True),
    case("driver", *PHASES, follows=True),
    case("worker", *ASKING),
    case("worker", *ASKING, local=True),
    case("quota", "fetch", "caption", "embed"),
    case("ledger", "caption", "embed"),
    *(case("node", phase) for phase in ASKING),
]


@pytest.mark.parametrize("case", FAST_CASES, ids=str)
def test_a_kill(world: World, case: Case) -> None:
    requires_nothing_lost(world, case)


@pytest.mark.long
@pytest.mark.parametrize("case", LONG_CASES, ids=str)
def test_a_kill_of_many(world: World, case: Case) -> None:
    requires_nothing_lost(world, case)
