"""The best results in an order that somebody has thought about: a model that looks at the query and at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tuku.errors import STOPPED, RowError
from tuku.protocols import ModelDescription
from tuku.search.query import Query
from tuku.search.results import Result


@dataclass(frozen=True)
class Reordered:
    """What a reranker made of some results.

    Attributes:
        results: all of them, each once, best first.
        done: False: the model gave no usable order, and this is the one of the retrieval.
        notes: what people should know of it.
    """

    results: tuple[Result, ...]
    done: bool
    notes: tuple[str, ...] = ()


class NotRankedError(Exception):
    """There is no usable order; the text says why, in a sentence without its full stop."""

    @classmethod
    def of(cls, fault: RowError, model: ModelDescription) -> NotRankedError:
        """Because the model did not answer."""
        said = fault.message if fault.code == STOPPED else str(fault)
        return cls(f"{model.provider}/{model.model} gave no ranking: {said.rstrip('. ')}")


class Reordering(Protocol):
    """Asks a model for a better order. Whatever the model answers, no result is lost, invented or doubled."""

    def reorder(self, query: Query, results: Sequence[Result]) -> Reordered:
        """The results, those that the model was shown in its order, the others after them."""
        ...
