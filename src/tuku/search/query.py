"""What can be asked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from tuku.errors import ConfigError

Target = Literal["image", "text", "both"]
"""Which vectors are searched."""

MAX_WINDOW = 16_384
"""Milvus gives no result further down than this."""

_UPLOADED = "(given as bytes)"


@dataclass(frozen=True)
class Query:
    """What was asked for.

    Attributes:
        text: words; with a picture, what is wanted of it ("phone case with this").
        image: the picture's path or URL, or the bytes of its file.
        target: the vectors that are searched: of the pictures, of their captions, or both, fused.
        where: a filter, such as ``price < 100 and brand in ['a', 'b']`` (see `where.read_where`).
        limit: how many results are wanted.
        offset: how many of the best are left out before.
        min_score: results are left out that score less than this in every vector field.
        boosts: by condition (a filter, or a field that is true, positive or not empty): what the score of the images
            that meet it is multiplied by.
        group_by: a field: of the images that share its value, the best one alone.
        rerank: whether the best of them are shown to the configured reranker.
    """

    text: str | None = None
    image: str | bytes | None = field(default=None, repr=False)
    target: Target = "image"
    where: str | None = None
    limit: int = 10
    offset: int = 0
    min_score: float | None = None
    boosts: Mapping[str, float] = field(default_factory=dict)
    group_by: str | None = None
    rerank: bool = False

    def require_sense(self) -> None:
        """Whether it can be answered at all.

        Raises:
            ConfigError: it asks for nothing, or for what lies beyond Milvus' reach.
        """
        if not (self.text and self.text.strip()) and not self.image:
            raise ConfigError("A search needs a text or a picture, or both.", "Give TEXT, or --image PATH|URL.")
        if self.limit < 1 or self.offset < 0 or self.limit + self.offset > MAX_WINDOW:
            raise ConfigError(
                f"limit is {self.limit:,} and offset is {self.offset:,}: at least one result, and none beyond the"
                f" {MAX_WINDOW:,}th, can be had.",
                "Ask for fewer, or narrow the search with --where.",
            )
        if self.min_score is not None and not math.isfinite(self.min_score):
            raise ConfigError(f"min_score is {self.min_score}, which is no score.", "Give a number such as 0.25.")
        for name, text in (("text", self.text), ("filter", self.where), ("field to group by", self.group_by)):
            _require_unicode(name, text)
        for condition, factor in self.boosts.items():
            if not 0 < factor < float("inf"):
                raise ConfigError(
                    f"The boost of {condition} is {factor:g}; it must be a number over 0.",
                    "Give 1.2 to raise a score by a fifth, 0.5 to halve it.",
                )

    @property
    def depth(self) -> int:
        """How many results there must be before those of the offset are left out."""
        return self.limit + self.offset

    def to_dict(self) -> dict[str, Any]:
        """As in `search --json`; the target bears the name of its option, ``in``."""
        values = {**asdict(self), "image": _UPLOADED if isinstance(self.image, bytes) else self.image}
        return {("in" if name == "target" else name): value for name, value in values.items()}


def _require_unicode(name: str, text: str | None) -> None:
    """Half a surrogate pair, as a shell gives it for what is no UTF-8, is taken neither by models nor by Milvus."""
    try:
        (text or "").encode()
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"The {name} is no Unicode: its character {error.start + 1} cannot be read.", "Write it in UTF-8."
        ) from None
