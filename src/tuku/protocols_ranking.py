"""What a model that puts results in order looks like from inside a search. Implementations live in `tuku.providers`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tuku.errors import RowError
from tuku.protocols import ModelDescription, Picture, Usage


@runtime_checkable
class Reranker(Protocol):
    """Says how well documents answer a query. Safe to call from several threads at once."""

    @property
    def description(self) -> ModelDescription:
        """Known without a call to the model."""
        ...

    def rerank(
        self, query: str | Picture, documents: Sequence[str | Picture], timeout_s: float | None = None
    ) -> list[float | RowError]:
        """One relevance in [0, 1], or the reason why not, for each document, in order.

        Args:
            query: what is wanted.
            documents: what there is.
            timeout_s: longest wait for all of them, seconds; then nothing more is asked.
        """
        ...

    def take_usage(self) -> Usage:
        """What was used since this was last asked."""
        ...


@dataclass(frozen=True)
class Ranked:
    """A candidate's place in a ranking, as a model said it; nothing of it has been checked.

    Attributes:
        number: of the candidate, from 1; 0 for an entry without one that can be read.
        reason: why it stands there; may be empty.
    """

    number: int
    reason: str = ""


@dataclass(frozen=True)
class RankingQuestion:
    """What a model is asked that puts candidates in order; the candidates' pictures are in one picture beside it.

    Attributes:
        captions: of the candidates, number 1 first; an empty one is not known.
        text: what is searched for, in words; None for a picture alone.
        has_picture: whether the picture of the candidates shows the query's too.
        picture_caption: what that shows; None if nobody can say.
        complaint: what was wrong with the answer to the same question before; empty the first time.
    """

    captions: tuple[str, ...]
    text: str | None = None
    has_picture: bool = False
    picture_caption: str | None = None
    complaint: str = ""


@runtime_checkable
class VisionRanker(Protocol):
    """Looks at all candidates at once and puts them in order. Safe to call from several threads at once."""

    @property
    def description(self) -> ModelDescription:
        """Known without a call to the model."""
        ...

    def rank(self, question: RankingQuestion, candidates: Picture, timeout_s: float) -> list[Ranked] | RowError:
        """The order that the model gives, best first, or why there is no answer.

        Args:
            question: what is wanted.
            candidates: one picture of all of them, numbered, and of the query's.
            timeout_s: longest wait, seconds; then the request is given up.

        Returns:
            What the answer says, unchecked: candidates may be missing, doubled or invented, and it is empty if the
            answer holds no ranking at all.
        """
        ...

    def look(self, picture: Picture, timeout_s: float) -> str | RowError:
        """One sentence on what a picture shows, or why there is none; `timeout_s` as for `rank`."""
        ...

    def take_usage(self) -> Usage:
        """What was used since this was last asked."""
        ...
