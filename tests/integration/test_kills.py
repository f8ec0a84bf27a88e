"""Somebody is killed at a random moment of each phase: the next run goes on, and nothing is lost, doubled or wasted.

Milvus Lite serves within the driver, so it is the driver whose death is the embedded Milvus's too.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from kills.moments import PHASES, Scene, TooLateError, wait_for
from kills.night import Place
from kills.victims import Killing, kill, second_node
from kills.witness import Witness, paid_twice
from kills.world import World, make_world

pytestmark = [pytest.mark.ray, pytest.mark.milvus, pytest.mark.timeout(600)]

TRIES = 4
SPREAD = ["--set", "runtime.workers=3", "--set", "runtime.worker_cpus=1"]  # one of them on the second node


@dataclass(frozen=True)
class Case:
    """One kill.

    Attributes:
        seed: decides the moment, and whatever else there is to choose.
        follows: whether the lake had a night before.
        local: whether Ray is the driver's own, and not a standing cluster.
    """

    victim: str
    phase: str
    seed: int
    follows: bool = False
    local: bool = False

    def __str__(self) -> str:
        return "-".join([self.victim, self.phase, str(self.seed), *["later"] * self.follows, *["local"] * self.local])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with make_world(tmp_path_factory.mktemp("kills")) as made:
        yield made


@dataclass
class Story:
    """What happened in a case, for whoever has to find out why it failed."""

    case: Case
    moment: str = ""
    killing: Killing | None = None
    in_flight: int = 0
    paid_twice: int = 0
    codes: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        who = "nobody" if self.killing is None else self.killing.who
        return "\n".join(
            [
                f"\n{self.case} (seed {self.case.seed}): {self.case.phase}, {self.moment}; killed {who}",
                f"in flight {self.in_flight}, paid twice {self.paid_twice}, exit codes {self.codes}",
                *(f"--- run {number}\n{text}" for number, text in enumerate(self.said, 1)),
            ]
        )


def run_case(world: World, case: Case) -> tuple[Story, Place]:
    """Kill, and run once more; if the run was over too soon, try again with an earlier moment."""
    chance = random.Random(str(case))
    world.undisturbed(follows=case.follows)
    for attempt in range(TRIES):
        story, place = Story(case), world.place(local=case.local)
        if case.follows:
            place.begin_as(world.before)
        world.server.reset()
        try:
            strike(world, place, story, chance, part=0.5**attempt)
        except TooLateError:
            continue
        return story, place
    raise AssertionError(f"{story}\nIt was too late {TRIES} times.")


def strike(world: World, place: Place, story: Story, chance: random.Random, part: float) -> None:
    """One run that is killed, or one of whose helpers is, and one more."""
    case = story.case
    with ExitStack() as stack:
        node = stack.enter_context(second_node(world.head, world.env)) if case.victim == "node" else None
        options = SPREAD if case.victim == "node" else ()
        witness = stack.enter_context(Witness(world.server))
        nights = [stack.enter_context(place.night(*options))]

        def go_on() -> None:
            nights.append(stack.enter_context(place.night()))

        scene = Scene(nights[0], world.server, world.images, world.lasts_s, world.images.asked)
        story.moment = wait_for(case.phase, scene, chance, part)
        # The next run begins at once: what a driver has left behind still works.
        then = go_on if case.victim == "driver" else nothing
        story.killing = kill(case.victim, nights[0], node, chance, then)
        story.in_flight = witness.in_flight(story.killing.began_s, story.killing.ended_s)
        story.codes.append(nights[0].wait())
        if case.victim != "driver":
            go_on()
        story.codes.append(nights[1].wait())
        story.said = [night.said for night in nights]
    story.paid_twice = paid_twice(world.server)


def nothing() -> None:
    """What is done between a kill and its end, if the run is to go on by itself."""


SURVIVED = {"driver": -signal.SIGKILL, "worker": 0, "quota": 0, "node": 0, "ledger": 5}
"""How the run ends to which it happened."""


def requires_nothing_lost(world: World, case: Case) -> None:
    story, place = run_case(world, case)
    assert story.codes == [SURVIVED[case.victim], 0], story
    different = place.outcome().differences(world.undisturbed(follows=case.follows))
    assert not different, f"{story}\n{different}"
    assert story.paid_twice <= story.in_flight, story


def cases(victim: str, *phases: str, seeds: Sequence[int], follows: bool = False, local: bool = False) -> list[Case]:
    return [Case(victim, phase, seed, follows, local) for phase in phases for seed in seeds]


FAST_CASES = [
    *cases("driver", "embed", "commit", "load", seeds=[0]),
    *cases("worker", "caption", seeds=[0]),
    *cases("quota", "caption", seeds=[0]),
    *cases("node", "caption", seeds=[0]),
]
LONG_CASES = [
    *cases("driver", *PHASES, seeds=[1]),
    *cases("driver", *PHASES, seeds=[2], local=True),
    *cases("driver", *PHASES, seeds=[3], follows=True),
    *cases("worker", "fetch", "caption", "embed", "write", seeds=[1, 2]),
    *cases("quota", "fetch", "caption", "embed", seeds=[1]),
    *cases("ledger", "caption", "embed", seeds=[1]),
    *cases("node", "caption", "embed", "write", seeds=[1]),
]


@pytest.mark.parametrize("case", FAST_CASES, ids=str)
def test_a_kill(world: World, case: Case) -> None:
    requires_nothing_lost(world, case)


@pytest.mark.long
@pytest.mark.parametrize("case", LONG_CASES, ids=str)
def test_a_kill_of_many(world: World, case: Case) -> None:
    requires_nothing_lost(world, case)
