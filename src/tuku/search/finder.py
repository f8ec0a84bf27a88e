"""Finds what is near to queries and meets their rules: looks further, step by step, until there is enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tuku.config import Config
from tuku.protocols import Vector
from tuku.search.asked import Asked
from tuku.search.results import Result
from tuku.search.retriever import Retriever
from tuku.search.rules import best_of_groups, boosted, scoring_enough
from tuku.search.way import Way, wanted


@dataclass
class Found:
    """What was found for one query.

    Attributes:
        results: in their order. What a later step found comes after what an earlier one did.
        bare: ids of those of which only the needed fields were fetched.
        seen: ids of all that were looked at.
    """

    results: list[Result] = field(default_factory=list)
    bare: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    def add(self, asked: Asked, results: Sequence[Result], *, bare: bool) -> None:
        """Takes in what a step found."""
        new = scoring_enough((each for each in results if each.id not in self.seen), asked.query.min_score)
        self.seen.update(each.id for each in results)
        self.bare.update(each.id for each in new if bare)
        self.results = best_of_groups([*self.results, *boosted(new, asked.boosts)], asked.group_by)


@dataclass(frozen=True)
class Finder:
    """Asks a collection.

    Args:
        config: the configuration.
        retriever: the collection.
    """

    config: Config
    retriever: Retriever

    def find(self, asked: Sequence[Asked], vectors: Sequence[Vector]) -> list[Found]:
        """What each query finds: as many as are wanted (see `way.wanted`), if there are so many.

        Args:
            asked: the queries.
            vectors: float32 (dim,) each.

        Raises:
            ConfigError: a filter asks for what this Milvus cannot do.
            MilvusError: the collection did not answer.
        """
        found = [Found() for _ in asked]
        alike: dict[str, tuple[Way, list[int]]] = {}
        for number, each in enumerate(asked):
            way = Way.of(each, self.config)
            alike.setdefault(repr(way), (way, []))[1].append(number)  # as values, 1 and true are equal
        for way, numbers in alike.values():
            hungry = numbers
            for limit in way.steps:
                hungry = self._step(way, limit, hungry, asked, vectors, found)
        return found

    def complete(self, asked: Asked, vector: Vector, found: Found, shown: slice) -> list[Result]:
        """Some of the results with all that is stored of them; one that is not there any more is left out."""
        results = found.results[shown]
        bare = [each.id for each in results if each.id in found.bare]
        stored = self.retriever.images(bare) if bare else {}
        results = [
            replace(stored[each.id], score=each.score, scores=each.scores) if each.id in stored else each
            for each in results
            if each.id in stored or each.id not in found.bare
        ]
        return self.retriever.scored(vector, results) if asked.query.target == "both" else results

    def _step(
        self,
        way: Way,
        limit: int,
        numbers: Sequence[int],
        asked: Sequence[Asked],
        vectors: Sequence[Vector],
        found: Sequence[Found],
    ) -> list[int]:
        """Looks at so many for each of these queries; returns those that need more."""
        hungry = []
        for start in range(0, len(numbers), way.at_once(limit)):
            some = numbers[start : start + way.at_once(limit)]
            answers = self._nearest(way, [vectors[number] for number in some], limit)
            for number, results in zip(some, answers, strict=True):
                found[number].add(asked[number], results, bare=way.fields(limit) is not None)
                enough = len(found[number].results) >= wanted(asked[number], self.config)
                if not enough and len(results) >= limit and not _ends_below(results, asked[number].query.min_score):
                    hungry.append(number)
        return hungry

    def _nearest(self, way: Way, vectors: Sequence[Vector], limit: int) -> list[list[Result]]:
        fields = way.fields(limit)
        if way.target == "both":
            return self.retriever.fused(vectors, limit, way.where, fields, by_score=way.by_score)
        return self.retriever.nearest(f"{way.target}_embedding", vectors, limit, way.where, fields)


def _ends_below(results: Sequence[Result], min_score: float | None) -> bool:
    """Whether nothing further down can score enough, because the last that each vector field found does not."""
    if min_score is None:
        return False
    last: dict[str, float] = {}
    for result in results:
        for name, score in result.scores.items():
            last[name] = min(score, last.get(name, score))
    return all(score < min_score for score in last.values())
