"""Candidates in the order of a model that looks at all of them at once (reference system C)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tuku.errors import RowError
from tuku.protocols import Picture, PictureSize
from tuku.protocols_ranking import Ranked, RankingQuestion, VisionRanker
from tuku.search.candidate_grid import draw_candidates, tile_px
from tuku.search.candidates import Album
from tuku.search.query import Query
from tuku.search.ranking_check import breach_of
from tuku.search.rerank import NotRankedError
from tuku.search.results import Result
from tuku.search.time_limit import TimeLimit

_TRIES = 2
_SIDE_PX = 1_536


@dataclass(frozen=True)
class Listwise:
    """Asks a `VisionRanker`, and once more where its answer does not give each candidate one place.

    Args:
        ranker: the model.
        album: gets the pictures.
        described: says what the query's picture shows, if anybody can.
    """

    ranker: VisionRanker
    album: Album
    described: Callable[[bytes], str | None]

    def order(self, query: Query, results: Sequence[Result], limit: TimeLimit) -> list[Ranked]:
        """The candidates' places, best first, each candidate once; number 1 is the first result.

        Raises:
            NotRankedError: the model gave no such order, twice, or no answer.
            OverdueError: the time is up.
        """
        file = self.album.file(query)
        grid, has_picture = self._grid(file, results)
        text = (query.text or "").strip() or None
        if not has_picture and text is None:
            raise NotRankedError("the query's picture cannot be had again")
        limit.left_s()
        question = RankingQuestion(
            tuple(result.caption for result in results),
            text,
            has_picture,
            self.described(file) if file is not None and has_picture else None,
        )
        return self._asked(question, grid, limit)

    def _asked(self, question: RankingQuestion, grid: Picture, limit: TimeLimit) -> list[Ranked]:
        breach = None
        for _ in range(_TRIES):
            asked = question if breach is None else replace(question, complaint=breach.for_model())
            places = self.ranker.rank(asked, grid, limit.left_s())
            if isinstance(places, RowError):
                raise NotRankedError.of(places, self.ranker.description)
            breach = breach_of(places, len(question.captions))
            if breach is None:
                return places
        raise NotRankedError("" if breach is None else breach.for_people())

    def _grid(self, file: bytes | None, results: Sequence[Result]) -> tuple[Picture, bool]:
        """And whether the query's picture is in it."""
        size = self.ranker.description.picture_size
        side_px = (size.long_side_px if size is not None else None) or _SIDE_PX
        tile = PictureSize(long_side_px=tile_px(len(results), side_px, query=file is not None))
        asked = None if file is None else self.album.decoded(file, tile)
        return draw_candidates(self.album.pictures(results, tile), asked, side_px), asked is not None
