"""When to strike: somewhere within a phase, by seed, as far as it can be seen from outside."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fakes.dashscope import DashScopeServer
from kills.catalogue import PICTURES, SERVED, SlowImages
from kills.night import END, Night

PHASES = ("plan", "fetch", "caption", "embed", "write", "commit", "load", "index", "verify")
CAPTIONER, EMBEDDER = "qwen3-vl-flash", "tongyi-embedding-vision-plus"

_POLL_S = 0.001
_ASK_S = 0.01
_TIMEOUT_S = 150.0
_FILES, _LATER_FILES = 6, 2  # that a run has in parts at least, and one that follows another
_NEXT = {"plan": "pipeline", "load": "index", "index": "verify", "verify": END}


class TooLateError(Exception):
    """The run was over, or beyond the phase, before anybody could strike."""


@dataclass(frozen=True)
class Scene:
    """What is watched.

    Attributes:
        lasts_s: how long phases took in an undisturbed run.
        earlier: what `asked` gave before the run began.
    """

    night: Night
    server: DashScopeServer
    images: SlowImages
    lasts_s: Mapping[str, float]
    earlier: Mapping[str, int]

    def asked_since(self, what: str) -> int:
        """How many ``pictures``, ``captions`` or ``vectors`` the run has asked for so far."""
        return asked(self.server, self.images)[what] - self.earlier[what]


def asked(server: DashScopeServer, images: SlowImages) -> dict[str, int]:
    """How many pictures, captions and vectors have been asked for so far."""
    accepted = {model: counters["items"]["accepted"] for model, counters in server.counters()["models"].items()}
    return {"pictures": images.asked, "captions": accepted.get(CAPTIONER, 0), "vectors": accepted.get(EMBEDDER, 0)}


def durations(onsets: Mapping[str, float]) -> dict[str, float]:
    """Seconds that the phases of `Night.onsets` took."""
    return {phase: onsets[after] - onsets[phase] for phase, after in _NEXT.items()}


def wait_for(phase: str, scene: Scene, chance: random.Random, part: float = 1.0) -> str:
    """Return at a random moment within the phase.

    Args:
        phase: one of `PHASES`.
        scene: the run.
        chance: decides the moment.
        part: of the phase, from its beginning, in (0, 1].

    Returns:
        Which moment it was, in words.

    Raises:
        TooLateError: the run has ended.
    """
    return _MOMENTS[phase](phase, scene, chance, part)


def _spoken(phase: str, scene: Scene, chance: random.Random, part: float) -> str:
    _poll(scene, lambda: phase in scene.night.phases(), _POLL_S)
    return f"{_pause(chance, part * scene.lasts_s[phase])} after it began"


def _fetching(_: str, scene: Scene, chance: random.Random, part: float) -> str:
    return _counted("pictures", SERVED, scene, chance, part)


def _captioning(_: str, scene: Scene, chance: random.Random, part: float) -> str:
    return _counted("captions", PICTURES, scene, chance, part)


def _embedding(_: str, scene: Scene, chance: random.Random, part: float) -> str:
    return _counted("vectors", 2 * PICTURES, scene, chance, part)


def _counted(what: str, most: int, scene: Scene, chance: random.Random, part: float) -> str:
    # A night that follows another asks for less.
    wanted = chance.randint(1, max(1, int(part * (most // 3 if scene.night.follows else most))))
    _poll(scene, lambda: scene.asked_since(what) >= wanted, _ASK_S)
    return f"{_pause(chance, 0.05)} after {wanted} {what} were asked for"


def _writing(_: str, scene: Scene, chance: random.Random, part: float) -> str:
    """While a block's files are written, or between two of them."""
    wanted = chance.randint(1, max(1, int(part * (_LATER_FILES if scene.night.follows else _FILES))))
    _poll(scene, lambda: len(scene.night.files("parts/*")) >= wanted, _POLL_S)
    return f"{_pause(chance, 0.01)} after {wanted} files in parts, unfinished ones included"


def _committing(_: str, scene: Scene, chance: random.Random, part: float) -> str:
    """On either side of the marker: plan.json says that all is there just before it."""
    if chance.random() < part / 2:
        _poll(scene, lambda: scene.night.files("_COMMITTED") != [], _POLL_S)
        return f"{_pause(chance, 0.01)} after the marker"
    _poll(scene, lambda: '"complete": true' in scene.night.read("plan.json"), _POLL_S)
    return f"{_pause(chance, 0.005)} after the plan was complete"


def _pause(chance: random.Random, most_s: float) -> str:
    delay_s = chance.uniform(0, most_s)
    time.sleep(delay_s)
    return f"{delay_s:.4f} s"


def _poll(scene: Scene, condition: Callable[[], bool], every_s: float) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not condition():
        if scene.night.ended:
            raise TooLateError
        assert time.monotonic() < deadline, scene.night.said
        time.sleep(every_s)


_MOMENTS = {
    "plan": _spoken,
    "fetch": _fetching,
    "caption": _captioning,
    "embed": _embedding,
    "write": _writing,
    "commit": _committing,
    "load": _spoken,
    "index": _spoken,
    "verify": _spoken,
}
