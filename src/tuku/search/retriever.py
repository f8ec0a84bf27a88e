"""The vector database, as far as searching goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tuku.conditions import Condition
from tuku.protocols import Vector
from tuku.search.known_fields import KnownFields
from tuku.search.results import Result


class Retriever(Protocol):
    """A collection that is filled, indexed and loaded."""

    def nearest(
        self,
        field: str,
        vectors: Sequence[Vector],
        limit: int,
        where: Condition | None,
        fields: Sequence[str] | None = None,
    ) -> list[list[Result]]:
        """The `limit` nearest neighbours of each float32 (dim,) vector in a vector field, best first.

        Args:
            field: ``image_embedding`` or ``text_embedding``.
            vectors: one for each query.
            limit: at most `query.MAX_WINDOW`.
            where: what the images must meet; its fields bear the collection's names.
            fields: what to fetch of each image besides its id; None: everything.
        """
        ...

    def fused(
        self,
        vectors: Sequence[Vector],
        limit: int,
        where: Condition | None,
        fields: Sequence[str] | None = None,
        *,
        by_score: bool = False,
    ) -> list[list[Result]]:
        """Likewise in all vector fields at once, fused as configured.

        Where `fields` is None, each result has its score in every vector field; otherwise see `scored`.

        Args:
            vectors: one for each query.
            limit: at most `query.MAX_WINDOW`.
            where: what the images must meet.
            fields: what to fetch of each image besides its id; None: everything.
            by_score: all that are among the `limit` nearest in either field, with their scores in the fields where they
                are.
        """
        ...

    def scored(self, vector: Vector, results: Sequence[Result]) -> list[Result]:
        """The results with their scores in every vector field; those that have them already as they are."""
        ...

    def images(self, ids: Sequence[str]) -> dict[str, Result]:
        """The images of these ids, without scores; an id that the collection does not have is left out."""
        ...

    def fields(self) -> KnownFields:
        """The fields that filters and groups can name: the fixed ones, and the metadata in a sample of the rows."""
        ...

    def has_field(self, name: str) -> bool:
        """Whether any row at all has a field of this name."""
        ...
