"""A query and what came of it, in a few words: for the picture grid and for the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuku import units

if TYPE_CHECKING:
    from tuku.search.query import Query
    from tuku.search.results import SearchAnswer


def asked_of(query: Query) -> str:
    """What was given and where it was looked for, such as ``text + picture → captions``."""
    given = [name for name, value in (("text", query.text), ("picture", query.image)) if value]
    searched = {"image": "pictures", "text": "captions", "both": "pictures and captions"}[query.target]
    return f"{' + '.join(given)} → {searched}"


def outcome(answer: SearchAnswer) -> str:
    """How many results, whether they were reranked, and how long it took."""
    parts = [units.plural(len(answer.results), "result") if answer.results else "nothing found"]
    if answer.reranked:
        parts.append("reranked")
    if answer.timings_ms:
        parts.append(f"{sum(answer.timings_ms.values()):,.0f} ms")
    return " · ".join(parts)
