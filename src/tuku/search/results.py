"""What a search gives back: the values behind the table, `search --json`, the grid and the search page."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Target = Literal["image", "text", "both"]
"""Which vectors are searched."""


@dataclass(frozen=True)
class Query:
    """What was asked for.

    Attributes:
        text: words, or None when only a picture was given.
        image: path or URL of the picture, or None.
        target: the vectors that were searched.
        where: filter on metadata, as the user wrote it.
        limit: how many results were wanted.
    """

    text: str | None = None
    image: str | None = None
    target: Target = "image"
    where: str | None = None
    limit: int = 10

    def to_dict(self) -> dict[str, Any]:
        """As in `search --json`; the target bears the name of its option, ``in``."""
        values = asdict(self)
        return {("in" if name == "target" else name): value for name, value in values.items()}


@dataclass(frozen=True)
class Result:
    """One image that was found.

    Attributes:
        id: the image_id.
        score: what the results are ordered by, higher is better.
        scores: the score of each vector field (or retriever) that found it.
        uri: where the picture is.
        caption: its caption, as stored.
        keywords: its keywords, most telling first.
        metadata: the manifest's other columns.
        reason: why a reranker put it here; None without one.
    """

    id: str
    score: float
    scores: Mapping[str, float] = field(default_factory=dict)
    uri: str = ""
    caption: str = ""
    keywords: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None

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
    """The results of one query, best first, and how long each phase took (milliseconds)."""

    query: Query
    results: tuple[Result, ...] = ()
    reranked: bool = False
    timings_ms: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The object that `search --json` prints."""
        return {
            "query": self.query.to_dict(),
            "results": [result.to_dict() for result in self.results],
            "reranked": self.reranked,
            "timings_ms": dict(self.timings_ms),
        }
