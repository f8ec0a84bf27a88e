"""Full disks and failing ones, clocks that are set, two jobs at once: nothing is corrupt, the next run ends well."""

from __future__ import annotations

import random
import re
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from kills.clock import Clock
from kills.disk import Disk, make_disk
from kills.moments import wait_for
from kills.night import Night, Place
from kills.victims import kill
from kills.witness import Bill
from kills.world import World, make_world

pytestmark = [pytest.mark.ray, pytest.mark.milvus, pytest.mark.timeout(600)]

A_DAY_S = timedelta(days=1).total_seconds()
DATE = re.compile(r"^(\S+)T\S+Z tuku", re.MULTILINE)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with make_world(tmp_path_factory.mktemp("crises")) as made:
        yield made


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with make_disk(tmp_path, megabytes=32) as made:
        yield made


def wait_until(phase: str, world: World, night: Night) -> None:
    """Return somewhere in the first half of a phase."""
    wait_for(phase, world.scene(night), random.Random(phase), part=0.5)


def requires_as_undisturbed(world: World, place: Place, night: Night, *, follows: bool = False) -> None:
    """The run has ended well, and everything is as if nothing had happened."""
    assert night.wait() == 0, night.said
    different = place.outcome().differences(world.undisturbed(follows=follows))
    assert not different, f"{different}\n{night.said}"


def requires_paragraph(night: Night, code: int, *said: str) -> None:
    """It ends with this code and says why in words that people understand."""
    assert night.wait() == code, night.said
    assert "Traceback" not in night.said
    for words in said:
        assert words in night.said


@pytest.mark.long
@pytest.mark.parametrize("phase", ["caption", "embed", "write"])
def test_a_disk_that_fills_up(world: World, disk: Disk, phase: str) -> None:
    world.undisturbed(follows=False)
    world.server.reset()
    place = world.place(folder=disk.folder / "place")
    with place.night() as night:
        wait_until(phase, world, night)
        full_s = time.monotonic()
        disk.fill()
        requires_paragraph(night, 5, "disk is full")
    disk.free()
    with place.night() as again:
        requires_as_undisturbed(world, place, again)
    assert not Bill.of(world.server, [(full_s, full_s)]).unexcused


@pytest.mark.long
@pytest.mark.parametrize("phase", ["caption", "write", "load"])
def test_a_disk_that_fails_and_becomes_read_only(world: World, disk: Disk, phase: str) -> None:
    world.undisturbed(follows=False)
    place = world.place(folder=disk.folder / "place")
    with place.night() as night:
        wait_until(phase, world, night)
        disk.fail()
        assert night.wait() != 0, night.said
        assert "Traceback" not in night.said
        assert "read-only" in night.said.lower(), night.said
    disk.mend()
    with place.night() as again:
        requires_as_undisturbed(world, place, again)


@pytest.mark.long
@pytest.mark.parametrize("seconds", [A_DAY_S, -A_DAY_S], ids=["forward", "back"])
def test_a_clock_that_is_set(world: World, tmp_path: Path, seconds: float) -> None:
    """In the middle of one night, by a day; the next night begins with it, or with the right time again."""
    world.undisturbed(follows=True)
    clock = Clock(tmp_path / "clock")
    earlier = world.place(world.catalogues.before, local=True, env=clock.env)
    with earlier.night() as night:
        wait_until("caption", world, night)
        clock.set(seconds)
        assert night.wait() == 0, night.said
        assert len(set(DATE.findall(night.said))) == 2, night.said
    clock.set(min(0.0, seconds))
    place = world.place(local=True, env=clock.env)
    place.begin_as(earlier)
    with place.night() as later:
        requires_as_undisturbed(world, place, later, follows=True)


@pytest.mark.long
def test_of_two_jobs_one_works_and_the_other_refuses_until_the_first_is_dead(world: World) -> None:
    world.undisturbed(follows=False)
    world.server.reset()
    place = world.place()
    with ExitStack() as stack:
        first = stack.enter_context(place.night())
        wait_until("caption", world, first)
        second = stack.enter_context(place.night())
        requires_paragraph(second, 2, "Another run works on the lake", f"process {first.pid}", "since ", "--wait")
        assert not first.ended, first.said
        again: list[Night] = []
        killing = kill(
            "driver", first, None, random.Random(0), lambda: again.append(stack.enter_context(place.night()))
        )
        requires_as_undisturbed(world, place, again[0])
        assert not Bill.of(world.server, [killing.death]).unexcused


@pytest.mark.long
def test_two_jobs_at_the_same_moment(world: World) -> None:
    world.undisturbed(follows=False)
    world.server.reset()
    place = world.place()
    with place.night() as one, place.night() as other:
        codes = one.wait(), other.wait()
        assert sorted(codes) == [0, 2], one.said + other.said
        requires_as_undisturbed(world, place, one if codes[0] == 0 else other)
    assert Bill.of(world.server, []).paid_twice == 0


@pytest.mark.long
def test_a_job_that_waits_for_the_other(world: World) -> None:
    world.undisturbed(follows=False)
    world.server.reset()
    place = world.place()
    with place.night() as first:
        wait_until("caption", world, first)
        with place.night("--wait") as second:
            requires_as_undisturbed(world, place, first)
            requires_as_undisturbed(world, place, second)
            assert f"process {first.pid}" in second.said
    assert second.report()["rows"]["ok"] == 0
    assert Bill.of(world.server, []).paid_twice == 0


@pytest.mark.long
def test_a_job_that_stood_still_and_was_taken_over_commits_nothing(world: World) -> None:
    world.undisturbed(follows=False)
    place = world.place()
    with place.night() as sleeper:
        wait_until("embed", world, sleeper)
        sleeper.process.send_signal(signal.SIGSTOP)
        with place.night("--wait") as second:
            requires_as_undisturbed(world, place, second)
        sleeper.process.send_signal(signal.SIGCONT)
        requires_paragraph(sleeper, 5, "another has taken over the lake")
    different = place.outcome().differences(world.undisturbed(follows=False))
    assert not different, f"{different}\n{sleeper.said}"
