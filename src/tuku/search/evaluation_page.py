"""An evaluation as one HTML file that needs nothing else: the figures, and the queries that went wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuku.html import page_environment, style_and_policy
from tuku.search.evaluate import Answered, Evaluation
from tuku.search.evaluation_summary import COLUMNS
from tuku.search.page import picture_source
from tuku.search.query import Query
from tuku.search.results import Result
from tuku.uris import bare

if TYPE_CHECKING:
    from PIL import Image

_TILES = 5

Lookup = Callable[[Sequence[str]], Mapping[str, Result]]
Pictures = Callable[[Sequence[Result]], "Sequence[Image.Image | None]"]


@dataclass(frozen=True)
class _Tile:
    result: Result
    relevant: bool
    picture: str | None


@dataclass(frozen=True)
class _Miss:
    """A query, what should have been found, and what was."""

    asked: str
    where: str | None
    wanted: list[_Tile]
    found: list[_Tile]


def render_evaluation(evaluations: Sequence[Evaluation], misses: int, lookup: Lookup, pictures: Pictures) -> str:
    """The whole page.

    Args:
        evaluations: of the collection that readers see, and perhaps of another.
        misses: how many queries of each mode are shown that lack a relevant image, worst first.
        lookup: finds images by id, in the first collection.
        pictures: of results, small; None where the file is gone.
    """
    style, policy = style_and_policy("results.css")
    first = evaluations[0]
    shown = {mode: [_miss(each, lookup, pictures) for each in first.misses(mode, misses)] for mode in first.answered}
    return (
        page_environment()
        .get_template("evaluation.html.j2")
        .render(
            columns=COLUMNS,
            found=[evaluation.to_dict() for evaluation in evaluations],
            misses=shown,
            style=style,
            policy=policy,
        )
    )


def _miss(answered: Answered, lookup: Lookup, pictures: Pictures) -> _Miss:
    query, relevant = answered.labelled.query, answered.labelled.relevant
    images = lookup(relevant[:_TILES])
    wanted = [images.get(image_id, Result(image_id, 0.0)) for image_id in relevant[:_TILES]]
    return _Miss(
        asked=_asked(query),
        where=query.where,
        wanted=_tiles(wanted, relevant, pictures),
        found=_tiles(answered.results[:_TILES], relevant, pictures),
    )


def _asked(query: Query) -> str:
    """Text and picture; of its URL no credentials and no signature, for the page is passed on."""
    picture = bare(query.image) if isinstance(query.image, str) else None
    return " + ".join(each for each in (query.text, picture) if each)


def _tiles(results: Sequence[Result], relevant: Sequence[str], pictures: Pictures) -> list[_Tile]:
    known = [result for result in results if result.uri]
    of = {result.id: picture for result, picture in zip(known, pictures(known) if known else [], strict=True)}
    return [_Tile(result, result.id in relevant, picture_source(of.get(result.id))) for result in results]
