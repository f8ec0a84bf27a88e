"""What befalls a request: how long it takes, and what goes wrong. The same for the same seed."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence

from fakes.dashscope.asked import Asked
from fakes.dashscope.settings import Faults, Latency

TRANSPORT_FAULTS = (
    "internal_error", "algo_error", "unavailable_html", "error_inside", "truncated_json", "reset_before",
    "reset_middle", "hang", "drip",
)  # fmt: skip
CAPTION_FAULTS = ("empty_content", "length", "refused_content", "exclamations")
EMBEDDING_FAULTS = ("shuffled", "missing", "bad_vector")

_P99 = 2.3263478740408408  # of the standard normal distribution


class Luck:
    """One request's dice.

    Their seed is what is asked and how often it has been: two runs in which requests come in another order
    have the same luck.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._asked: Counter[str] = Counter()

    def dice(self, endpoint: str, asked: Asked) -> random.Random:
        """For one request; another one for the same request asked again."""
        question = " ".join((endpoint, asked.model.name, *(item.key for item in asked.items)))
        self._asked[question] += 1
        return random.Random(f"{self._seed} {question} {self._asked[question]}")


def draw_latency_s(latency: Latency, dice: random.Random) -> float:
    """Seconds until the answer."""
    if latency.p99_s is None or latency.median_s == 0:
        return latency.median_s
    return dice.lognormvariate(math.log(latency.median_s), math.log(latency.p99_s / latency.median_s) / _P99)


def draw_fault(faults: Faults, kinds: Sequence[str], dice: random.Random) -> str | None:
    """At most one of these kinds."""
    hit = [kind for kind in kinds if dice.random() < getattr(faults, kind)]
    return dice.choice(hit) if hit else None


def has_bad_item(asked: Asked, fraction: float) -> bool:
    """Whether one of the pictures is of those that are never looked at."""
    return any(is_bad(picture.sha256, fraction) for picture in asked.pictures)


def is_bad(sha256: str, fraction: float) -> bool:
    """Whether a picture, by its file's hex digest, is of the fraction that always fails."""
    return int(sha256[:8], 16) < fraction * 2**32
