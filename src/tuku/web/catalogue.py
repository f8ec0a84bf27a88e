"""What the page and its API ask of a collection."""

from __future__ import annotations

from typing import Protocol

from tuku.errors import RowError
from tuku.fetching import Fetched
from tuku.search.known_fields import KnownFields
from tuku.search.query import Query
from tuku.search.results import Result, SearchAnswer


class Catalogue(Protocol):
    """Implemented by `runtime.serving.LiveCatalogue`. Safe to use from several threads; every method may take seconds.

    Each raises `TukuError` where the collection or a model does not answer, and `OutOfServiceError` where there is
    nothing to search in.
    """

    def search(self, query: Query) -> SearchAnswer:
        """The answer to a query; `RowError` where its picture cannot be used."""
        ...

    def similar(self, image_id: str, query: Query) -> SearchAnswer | None:
        """What is like a stored image, itself left out; None if there is no such image."""
        ...

    def find(self, image_id: str) -> Result | None:
        """An image by its id."""
        ...

    def some(self, limit: int, where: str | None = None) -> list[Result]:
        """So many images, whichever, of those that meet a filter."""
        ...

    def fields(self) -> KnownFields:
        """What filters can name."""
        ...

    def can_rerank(self) -> bool:
        """Whether there is a reranker."""
        ...

    def check(self) -> None:
        """Nothing, if the collection answers."""
        ...

    def picture(self, uri: str) -> Fetched | RowError:
        """The file of a stored image. The URI comes from the collection, never from a client."""
        ...
