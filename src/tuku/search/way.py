"""How the neighbours of a query are asked for: how many at a time, and with which of their fields."""

from __future__ import annotations

from dataclasses import dataclass

from tuku.conditions import Condition
from tuku.config import Config
from tuku.search.asked import Asked
from tuku.search.query import MAX_WINDOW, Target

_MORE = 4
_MOST_WHOLE_ROWS = 1_000
_ROWS_AT_ONCE = 2_000
_VECTORS_AT_ONCE = 1_000


@dataclass(frozen=True)
class Way:
    """Queries of one way are asked for together.

    Attributes:
        target: the vectors that are searched.
        where: what the images must meet.
        steps: how many of the nearest are looked at, at first and until there are enough. They do not depend on the
            page that is wanted where an order may change with them: so pages fit together.
        needed: fields to fetch where more are looked at than shown.
        whole_rows: up to so many, all fields are fetched at once.
        by_score: whether each vector field's own list is needed, for a least score.
    """

    target: Target
    where: Condition | None
    steps: tuple[int, ...]
    needed: tuple[str, ...]
    whole_rows: int
    by_score: bool

    @classmethod
    def of(cls, asked: Asked, config: Config) -> Way:
        """Of a query."""
        query, candidates = asked.query, config.search.candidates
        ruled = bool(asked.boosts) or asked.group_by is not None
        by_score = query.target == "both" and query.min_score is not None
        if ruled or by_score:
            steps = _steps(candidates)
        elif query.target == "both":
            steps = _steps(candidates)
            steps = (min(wanted(asked, config), steps[0]), *steps[1:])
        else:
            steps = (wanted(asked, config),)
        whole_rows = min(max(query.limit, candidates), _MOST_WHOLE_ROWS)
        return cls(query.target, asked.where, steps, asked.needed, whole_rows, by_score)

    def fields(self, limit: int) -> tuple[str, ...] | None:
        """What is fetched of so many rows; None: everything."""
        return None if limit <= self.whole_rows else self.needed

    def at_once(self, limit: int) -> int:
        """How many queries are asked for together where each has so many results."""
        return max(1, min(_VECTORS_AT_ONCE, _ROWS_AT_ONCE // limit))


def wanted(asked: Asked, config: Config) -> int:
    """How many results there must be: those of the page and before it, and what the reranker is shown."""
    return min(max(asked.query.depth, config.rerank.candidates if reranks(asked, config) else 0), MAX_WINDOW)


def reranks(asked: Asked, config: Config) -> bool:
    """Whether the page has any of what a reranker is shown."""
    return asked.query.rerank and asked.query.offset < config.rerank.candidates


def _steps(first: int) -> tuple[int, ...]:
    steps = [first]
    while steps[-1] < MAX_WINDOW:
        steps.append(min(_MORE * steps[-1], MAX_WINDOW))
    return tuple(steps)
