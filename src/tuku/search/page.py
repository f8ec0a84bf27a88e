"""The answer to a query as one HTML file that needs nothing else: no script, no request, every text escaped."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuku.html import page_environment, style_and_policy
from tuku.search.results import Result, SearchAnswer
from tuku.search.words import asked_of, outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

_QUALITY = 85


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
    tiles = [_Tile(result, _source(picture)) for result, picture in zip(answer.results, pictures, strict=True)]
    template = page_environment().get_template("results.html.j2")
    return template.render(
        answer=answer,
        query=answer.query,
        asked=asked_of(answer.query),
        outcome=outcome(answer),
        query_picture=_source(query_picture),
        tiles=tiles,
        style=style,
        policy=policy,
    )


def _source(picture: Image.Image | None) -> str | None:
    """A data URI."""
    if picture is None:
        return None
    file = io.BytesIO()
    picture.convert("RGB").save(file, format="JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
