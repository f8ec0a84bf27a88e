"""Who is killed, and with SIGKILL always."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from kills.moments import TooLateError
from kills.night import Night
from kills.processes import Process, descendants, titled, wait_until_gone
from kills.witness import Death
from ray_head import RAY, Head
from support import environment

ASKER = "ray::MapWorker"
TITLES = {"worker": ASKER, "quota": "ray::QuotaActor", "ledger": "ray::Ledger"}
VICTIMS = ("driver", *TITLES, "node")

_DEATH_S = 30.0
_LOOK_S = 0.02


@dataclass(frozen=True)
class Killing:
    """What was done.

    Attributes:
        who: in words.
        death: of those who ask a service, if any died.
    """

    who: str
    death: Death | None


def kill(
    victim: str,
    night: Night,
    node: subprocess.Popen[bytes] | None,
    chance: random.Random,
    then: Callable[[], None],
) -> Killing:
    """Kill the victim, and return when it is gone with all that goes with it.

    Args:
        victim: one of `VICTIMS`.
        night: whose.
        node: the second node, if there is one.
        chance: chooses among several.
        then: called at once.

    Raises:
        TooLateError: it had ended by itself.
    """
    if night.ended:
        raise TooLateError
    if victim == "driver":
        return _kill_driver(night, then)
    if victim == "node":
        doomed = _of_node(node, night)
    else:
        doomed = [chance.choice(_required(titled(TITLES[victim], os.getpid())))]
    # What it is to others that a quota or a ledger is lost, they find out by and by: they go on meanwhile.
    began_s = time.monotonic()
    for process in doomed:
        process.kill()
    then()
    ended_s = wait_until_gone(doomed, _DEATH_S)[-1]
    # Those who ask a quota go on when it is gone: they lose nothing.
    death = None if victim == "quota" else (began_s, ended_s)
    return Killing(f"{victim}: {', '.join(_named(process) for process in doomed)}", death)


def _kill_driver(night: Night, then: Callable[[], None]) -> Killing:
    asking = titled(ASKER, os.getpid())
    began_s = time.monotonic()
    night.process.kill()
    if night.process.wait() >= 0:
        raise TooLateError
    then()
    # Ray's processes notice it, some sooner than others, and work and pay until then.
    deaths = wait_until_gone(asking, _DEATH_S) or [began_s]
    who = f"driver: process {night.pid}; its workers {[process.pid for process in asking]} lived on"
    return Killing(f"{who} for {deaths[-1] - began_s:.2f} s", (deaths[0], deaths[-1]))


def _required(found: list[Process]) -> list[Process]:
    if not found:
        raise TooLateError
    return found


def _of_node(node: subprocess.Popen[bytes] | None, night: Night) -> list[Process]:
    """Its processes, as soon as there is one among them that asks."""
    assert node is not None
    while not titled(ASKER, node.pid):
        if night.ended:
            raise TooLateError
        time.sleep(_LOOK_S)
    return _all_of(node)


def _all_of(node: subprocess.Popen[bytes]) -> list[Process]:
    return [process for process in descendants(os.getpid()) if process.pid == node.pid] + descendants(node.pid)


def _named(process: Process) -> str:
    return f"{process.pid} ({process.title.split('/')[-1][:40].strip()})"


@contextmanager
def second_node(head: Head, env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A node with one CPU that joins the cluster; ended with the block, if it has not been."""
    command = [
        RAY, "start", "--block", f"--address={head.address}", "--num-cpus=1", "--node-ip-address=127.0.0.1",
        "--disable-usage-stats",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, env=environment(env), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _wait_until_joined(head, process, env)
        yield process
    finally:
        for each in _all_of(process):
            each.kill()
        process.wait()


def _wait_until_joined(head: Head, process: subprocess.Popen[bytes], env: Mapping[str, str]) -> None:
    ask = (
        "import ray, sys; ray.init(sys.argv[1], log_to_driver=False, logging_level='ERROR');"
        "import time; exec('while sum(n[\"Alive\"] for n in ray.nodes()) < 2: time.sleep(.2)')"
    )
    assert process.poll() is None, "ray start ended"
    subprocess.run([sys.executable, "-c", ask, head.address], env=environment(env), check=True, timeout=90)
