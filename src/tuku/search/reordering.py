"""The reranker of a search: whatever becomes of it, the search has its results."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from tuku.config import RerankConfig
from tuku.errors import RowError, TukuError
from tuku.protocols import Captioner, PictureSize
from tuku.protocols_ranking import Ranked, Reranker, VisionRanker
from tuku.search.candidates import Album
from tuku.search.listwise import Listwise
from tuku.search.pointwise import Pointwise
from tuku.search.query import Query
from tuku.search.rerank import NotRankedError, Reordered
from tuku.search.results import Result
from tuku.search.time_limit import OverdueError, TimeLimit

_log = logging.getLogger(__name__)

_MOST_REASON = 300  # characters
_LOOK_SIZE = PictureSize(long_side_px=768)


@dataclass(frozen=True)
class ModelReordering:
    """Implements `Reordering`: shows the first `rerank.candidates` results to a model, for `rerank.timeout_s` in all.

    Args:
        model: of either kind; asked for when the first search is reranked.
        captioner: says what the query's picture shows; None: the model itself does, if it can.
        album: gets the pictures.
        config: the configuration.
    """

    model: Callable[[], Reranker | VisionRanker]
    captioner: Callable[[], Captioner | None]
    album: Album
    config: RerankConfig

    def reorder(self, query: Query, results: Sequence[Result]) -> Reordered:
        """See `Reordering`. Raises nothing: without a usable order it is that of the retrieval, and a note says why."""
        shown, rest = results[: self.config.candidates], results[self.config.candidates :]
        if len(shown) < 2:  # noqa: PLR2004  # nothing to put in order
            return Reordered(tuple(results), done=False, notes=("Not reranked: there are fewer than two results.",))
        limit = TimeLimit(self.config.timeout_s)
        try:
            places = limit.run(partial(self._order, query, shown, limit))
        except Exception as error:  # noqa: BLE001  # a search does not fail because of its reranker
            note = f"Not reranked: {_why(error, limit)}; the order is that of the retrieval."
            return Reordered(tuple(results), done=False, notes=(note,))
        ranked = [replace(shown[place.number - 1], reason=_shortened(place.reason)) for place in places]
        return Reordered((*ranked, *rest), done=True)

    def _order(self, query: Query, results: Sequence[Result], limit: TimeLimit) -> list[Ranked]:
        model = self.model()
        described = partial(self._described, model, limit)
        kind: Listwise | Pointwise
        if isinstance(model, VisionRanker):
            kind = Listwise(model, self.album, described)
        else:
            kind = Pointwise(model, self.album, described)
        return kind.order(query, results, limit)

    def _described(self, model: Reranker | VisionRanker, limit: TimeLimit, file: bytes) -> str | None:
        """What the query's picture shows: by the captioner, or by the model that ranks; None if neither says."""
        sentence = self._captioned(file, limit)
        if sentence is not None or not isinstance(model, VisionRanker):
            return sentence
        picture = self.album.decoded(file, _LOOK_SIZE)
        seen = None if picture is None else model.look(picture, limit.left_s())
        if isinstance(seen, RowError):
            _log.info("No caption of the query's picture: %s", seen)
            return None
        return seen

    def _captioned(self, file: bytes, limit: TimeLimit) -> str | None:
        """By the captioner, in half of the time that is left: the ranking needs some too."""
        captioner = self.captioner()
        picture = None if captioner is None else self.album.decoded(file, captioner.description.picture_size)
        if captioner is None or picture is None:
            return None
        try:
            caption = TimeLimit(limit.left_s() / 2).run(partial(captioner.caption, [picture]))[0]
        except OverdueError:
            _log.info("No caption of the query's picture: the captioner takes too long.")
            return None
        except TukuError as error:
            _log.info("No caption of the query's picture: %s", error.message)
            return None
        if isinstance(caption, RowError):
            _log.info("No caption of the query's picture: %s", caption)
            return None
        return caption.text


def _why(error: Exception, limit: TimeLimit) -> str:
    if isinstance(error, OverdueError) or limit.is_over:
        return f"it took longer than rerank.timeout_s ({limit.seconds:g} s)"
    if isinstance(error, NotRankedError):
        return str(error)
    if isinstance(error, TukuError):
        return error.message.rstrip(". ")
    # Its text is shown nowhere: nobody knows what is in it.
    _log.warning("The reranker failed with an unexpected %s.", type(error).__name__)
    return f"the reranker failed with an unexpected {type(error).__name__}"


def _shortened(reason: str) -> str | None:
    line = " ".join(reason.split())
    return (line if len(line) <= _MOST_REASON else line[: _MOST_REASON - 1] + "…") or None
