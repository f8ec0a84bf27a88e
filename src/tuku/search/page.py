"""The answer to a query as one HTML file that needs nothing else: no script, no request, every text escaped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuku.html import jpeg_source, page_environment, style_and_policy
from tuku.imaging import encode_jpeg
from tuku.search.results import Result, SearchAnswer
from tuku.search.words import asked_of, outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image


@dataclass(frozen=True)
class _Tile:
    result: Result
    picture: str | None


def render_results(
    answer: SearchAnswer, pictures: Sequence[Image.Image | None], query_picture: Image.Image | None = None
) -> str:
    """The whole page.

    Args:
        answer: query and results.
        pictures: one for each result, small, RGB; None where the file is gone.
        query_picture: the picture that was searched with, if any.
    """
    style, policy = style_and_policy("results.css")
    tiles = [_Tile(result, picture_source(picture)) for result, picture in zip(answer.results, pictures, strict=True)]
    template = page_environment().get_template("results.html.j2")
    return template.render(
        answer=answer,
        query=answer.query,
        asked=asked_of(answer.query),
        outcome=outcome(answer),
        query_picture=picture_source(query_picture),
        tiles=tiles,
        style=style,
        policy=policy,
    )


def picture_source(picture: Image.Image | None) -> str | None:
    """What an ``img`` shows of it; None where there is none."""
    if picture is None:
        return None
    return jpeg_source(encode_jpeg(picture.convert("RGB")))
