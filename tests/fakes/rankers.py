"""Rerankers without models: they answer what they are told to, and remember what they were asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tuku.errors import RowError
from tuku.protocols import ModelDescription, Picture, PictureSize, Usage
from tuku.protocols_ranking import Ranked, RankingQuestion

Answer = list[Ranked] | RowError | BaseException


def places(*numbers: int) -> list[Ranked]:
    """A ranking with reasons."""
    return [Ranked(number, f"because of {number}") for number in numbers]


@dataclass
class ScriptedRanker:
    """A `VisionRanker` that gives its answers one after the other, the last one again and again.

    Attributes:
        seen: what the query's picture shows.
        holds: it answers when this is set.
        asked: every question with its picture.
        looked: pictures that it was to describe.
    """

    answers: Sequence[Answer]
    seen: str | RowError = "a leopard's fur"
    holds: threading.Event | None = None
    asked: list[tuple[RankingQuestion, Picture]] = field(default_factory=list)
    looked: list[Picture] = field(default_factory=list)

    @property
    def description(self) -> ModelDescription:
        return ModelDescription("fake", "ranker", "1", PictureSize(long_side_px=512))

    def rank(self, question: RankingQuestion, candidates: Picture, timeout_s: float) -> list[Ranked] | RowError:
        if self.holds is not None:
            self.holds.wait()
        answer = self.answers[min(len(self.asked), len(self.answers) - 1)]
        self.asked.append((question, candidates))
        if isinstance(answer, BaseException) and not isinstance(answer, RowError):
            raise answer
        return answer

    def look(self, picture: Picture, timeout_s: float) -> str | RowError:
        self.looked.append(picture)
        return self.seen

    def take_usage(self) -> Usage:
        return Usage(requests=len(self.asked))


@dataclass
class ScriptedReranker:
    """A `Reranker` that says how relevant each document is by a function of query and document."""

    relevance: Callable[[str | Picture, str | Picture], float | RowError]
    asked: list[tuple[str | Picture, list[str | Picture]]] = field(default_factory=list)

    @property
    def description(self) -> ModelDescription:
        return ModelDescription("fake", "relevance", "1", PictureSize(long_side_px=64))

    def rerank(
        self, query: str | Picture, documents: Sequence[str | Picture], timeout_s: float | None = None
    ) -> list[float | RowError]:
        self.asked.append((query, list(documents)))
        return [self.relevance(query, document) for document in documents]

    def take_usage(self) -> Usage:
        return Usage(requests=len(self.asked))
