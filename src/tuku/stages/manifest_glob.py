"""Which files a folder or a glob means: the same on a disk and in a bucket."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")

_ANY_DEPTH = "**"


@dataclass(frozen=True)
class Pattern:
    """A glob as a small automaton over path segments: a state is how many of them are matched.

    Attributes:
        segments: what each name must match; None is ``**``, any number of folders.
    """

    segments: tuple[re.Pattern[str] | None, ...]

    @classmethod
    def parse(cls, segments: list[str]) -> Pattern:
        """The pattern of these segments; one that ends in ``**`` means all files below."""
        if segments[-1] == _ANY_DEPTH:
            segments = [*segments, "*"]
        return cls(tuple(None if s == _ANY_DEPTH else re.compile(fnmatch.translate(s)) for s in segments))

    @classmethod
    def everything(cls) -> Pattern:
        """All files at any depth."""
        return cls.parse([_ANY_DEPTH])

    @property
    def end(self) -> int:
        """The state in which a whole path is matched."""
        return len(self.segments)

    def start(self) -> frozenset[int]:
        """The states before the first segment."""
        return self._close({0})

    def step(self, states: frozenset[int], name: str) -> frozenset[int]:
        """The states after one more segment."""
        after = set()
        for state in states - {self.end}:
            segment = self.segments[state]
            if segment is None:
                after.add(state)
            elif segment.match(name):
                after.add(state + 1)
        return self._close(after)

    def matches(self, names: Iterable[str]) -> bool:
        """Whether a whole path is meant, given as its segments."""
        states = self.start()
        for name in names:
            states = self.step(states, name)
        return self.end in states

    def _close(self, states: set[int]) -> frozenset[int]:
        for state, segment in enumerate(self.segments):
            if segment is None and state in states:
                states.add(state + 1)
        return frozenset(states)
