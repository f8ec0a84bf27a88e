"""What a search gives back: the values behind the table, `search --json`, the grid and the search page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuku.search.query import Query

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Result:
    """One image that was found.

    Attributes:
        id: the image_id.
        score: what the results are ordered by, higher is better.
        scores: its score in each vector field that was searched.
        uri: where the picture is.
        caption: its caption, as stored.
        keywords: its keywords, most telling first.
        metadata: the manifest's other columns.
        reason: why a reranker put it here; None without one.
        stored: what rules may look at and nobody is shown: how it came into the collection.
    """

    id: str
    score: float
    scores: Mapping[str, float] = field(default_factory=dict)
    uri: str = ""
    caption: str = ""
    keywords: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None
    stored: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """As in `search --json`."""
        return {
            "id": self.id,
            "score": self.score,
            "scores": dict(self.scores),
            "uri": self.uri,
            "caption": self.caption,
            "keywords": list(self.keywords),
            "metadata": dict(self.metadata),
            "reason": self.reason,
        }


@dataclass(frozen=True)
class SearchAnswer:
    """The answer to one query.

    Attributes:
        results: best first.
        reranked: whether a reranker ordered them.
        timings_ms: how long each phase took, milliseconds.
        notes: what people should know of it, such as why they are not reranked.
    """

    query: Query
    results: tuple[Result, ...] = ()
    reranked: bool = False
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The object that `search --json` prints."""
        return {
            "query": self.query.to_dict(),
            "results": [result.to_dict() for result in self.results],
            "reranked": self.reranked,
            "timings_ms": dict(self.timings_ms),
            "notes": list(self.notes),
        }
