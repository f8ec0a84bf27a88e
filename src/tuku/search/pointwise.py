"""Candidates in the order of a model that says of each how relevant it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tuku.errors import RowError
from tuku.protocols import Picture, PictureSize
from tuku.protocols_ranking import Ranked, Reranker
from tuku.search.candidates import Album
from tuku.search.query import Query
from tuku.search.rerank import NotRankedError
from tuku.search.results import Result
from tuku.search.time_limit import TimeLimit

_SIZE = PictureSize(long_side_px=448)
_MOST_CHARACTERS = 1_000  # of a query: it counts once for every document


@dataclass(frozen=True)
class Pointwise:
    """Asks a `Reranker`: the documents are the pictures, or the captions of those that cannot be had or are refused.

    The query is its text or its picture. A rerank model takes one of them: with both, it is the text and what the
    picture shows, in words.

    Args:
        reranker: the model.
        album: gets the pictures.
        described: says what the query's picture shows, if anybody can.
    """

    reranker: Reranker
    album: Album
    described: Callable[[bytes], str | None]

    def order(self, query: Query, results: Sequence[Result], limit: TimeLimit) -> list[Ranked]:
        """The candidates' places, the most relevant first, each candidate once; number 1 is the first result.

        Raises:
            NotRankedError: the model did not say of all how relevant they are.
            OverdueError: the time is up.
        """
        asked = self._query(query)
        size = self.reranker.description.picture_size or _SIZE
        pictures = self.album.pictures(results, size)
        captions = [result.caption for result in results]
        documents = [picture or caption for picture, caption in zip(pictures, captions, strict=True)]
        relevances = self._relevances(asked, documents, captions, limit)
        best = sorted(range(len(results)), key=lambda place: -relevances[place])
        return [Ranked(place + 1, f"relevance {relevances[place]:.2f}") for place in best]

    def _relevances(
        self, query: str | Picture, documents: Sequence[str | Picture], captions: Sequence[str], limit: TimeLimit
    ) -> list[float]:
        outcomes = self.reranker.rerank(query, documents, limit.left_s())
        refused = [
            place
            for place, outcome in enumerate(outcomes)
            if isinstance(outcome, RowError) and not outcome.retryable and isinstance(documents[place], Picture)
        ]
        if 0 < len(refused) < len(outcomes):
            instead = self.reranker.rerank(query, [captions[place] for place in refused], limit.left_s())
            for place, outcome in zip(refused, instead, strict=True):
                outcomes[place] = outcome
        for outcome in outcomes:
            if isinstance(outcome, RowError):
                raise NotRankedError.of(outcome, self.reranker.description)
        return [outcome for outcome in outcomes if not isinstance(outcome, RowError)]

    def _query(self, query: Query) -> str | Picture:
        text = (query.text or "").strip()[:_MOST_CHARACTERS]
        file = self.album.file(query)
        if text:
            shown = None if file is None else self.described(file)
            return text if shown is None else f"{text}\n(with a picture of: {shown})"
        picture = None if file is None else self.album.decoded(file, self.reranker.description.picture_size or _SIZE)
        if picture is None:
            raise NotRankedError("the query's picture cannot be had again")
        return picture
