"""Whether a ranking gives each candidate one place: nothing left out, nothing invented, nothing twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tuku.protocols_ranking import Ranked
from tuku.units import plural

_NAMED = 20  # numbers in a complaint at most


@dataclass(frozen=True)
class Breach:
    """What is wrong with a ranking of candidates 1 to `count`.

    Attributes:
        count: how many candidates there are.
        missing: candidates without a place.
        doubled: those with several.
        unknown: numbers that are no candidate's; 0 stands for an entry without a number.
        empty: there is no ranking at all.
    """

    count: int
    missing: tuple[int, ...] = ()
    doubled: tuple[int, ...] = ()
    unknown: tuple[int, ...] = ()
    empty: bool = False

    def for_model(self) -> str:
        """So that it can do better."""
        if self.empty:
            return "it held no ranking in JSON of the form asked for"
        parts = [
            f"it left out {_listed(self.missing)}" if self.missing else "",
            f"it named {_listed(self.doubled)} more than once" if self.doubled else "",
            f"it named {_listed(self.unknown)}, which no candidate has as its number" if self.unknown else "",
        ]
        return "; ".join(part for part in parts if part)

    def for_people(self) -> str:
        """How much of it was wrong."""
        if self.empty:
            return "the reranker gave no ranking"
        of = f"of {plural(self.count, 'candidate')}"
        parts = [
            f"left out {len(self.missing)} {of}" if self.missing else "",
            f"named {len(self.doubled)} {of} more than once" if self.doubled else "",
            f"invented {plural(len(self.unknown), 'candidate')}" if self.unknown else "",
        ]
        return f"the reranker {' and '.join(part for part in parts if part)}"


def breach_of(places: Sequence[Ranked], count: int) -> Breach | None:
    """What is wrong with a ranking of candidates 1 to `count`; None if nothing is."""
    if not places:
        return Breach(count, empty=True)
    named = Counter(place.number for place in places)
    candidates = range(1, count + 1)
    missing = tuple(number for number in candidates if number not in named)
    doubled = tuple(number for number in candidates if named[number] > 1)
    unknown = tuple(sorted(number for number in named if number not in candidates))
    return Breach(count, missing, doubled, unknown) if missing or doubled or unknown else None


def _listed(numbers: Sequence[int]) -> str:
    *others, last = (str(number) for number in numbers[:_NAMED])
    return f"{', '.join(others)} and {last}" if others else last
