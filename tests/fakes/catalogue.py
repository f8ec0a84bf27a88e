"""A catalogue to serve: pictures of one colour each, found by the colour's name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fakes.files import FakeFetcher, png
from fakes.models import COLOURS, FakeEmbedder
from tuku.conditions import Condition, holds
from tuku.config import Config
from tuku.errors import RowError
from tuku.fetching import Fetched
from tuku.protocols import Vector
from tuku.search.encode import Encoder
from tuku.search.known_fields import KnownFields, checked, seen_in
from tuku.search.query import Query
from tuku.search.results import Result, SearchAnswer
from tuku.search.rules import values_of
from tuku.search.searcher import Searcher
from tuku.search.where import read_where

HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>\x1b[2J\u202e\x00</title>'


def of_colours() -> list[Result]:
    """One of each colour, in a folder that nobody need know."""
    return [
        Result(name, 0.5, uri=f"/srv/secret/{name}.png", caption=f"A {name} picture", metadata={"price": 10 * place})
        for place, name in enumerate(COLOURS, start=1)
    ]


@dataclass
class FakeCatalogue:
    """Implements `web.catalogue.Catalogue`.

    Args:
        images: what is in it.
        files: by URI; of the colours by default.
        before: called before every search, and may raise or wait.
    """

    config: Config = field(default_factory=Config)
    images: list[Result] = field(default_factory=of_colours)
    files: dict[str, bytes | RowError] = field(default_factory=dict)
    before: Callable[[], Any] = lambda: None
    asked: list[Query] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)

    def search(self, query: Query) -> SearchAnswer:
        self.threads.add(threading.current_thread().name)
        self.asked.append(query)
        self.before()
        encoder = Encoder(FakeEmbedder(), FakeFetcher({}), self.config.decode)
        return Searcher(self.config, encoder, self).search(query)

    def similar(self, image_id: str, query: Query) -> SearchAnswer | None:
        self.asked.append(query)
        self.before()
        found = self.find(image_id)
        if found is None:
            return None
        others = [each for each in self.images if each.id != image_id]
        return SearchAnswer(replace(query, image=found.uri), tuple(others[: query.limit]), timings_ms={"retrieve": 1.0})

    def find(self, image_id: str) -> Result | None:
        return next((each for each in self.images if each.id == image_id), None)

    def some(self, limit: int, where: str | None = None) -> list[Result]:
        wanted = None if where is None else checked(read_where(where), self.fields(), self.has_field)
        return [each for each in self.images if wanted is None or holds(wanted, values_of(each))][:limit]

    def fields(self) -> KnownFields:
        return {
            **seen_in(each.metadata for each in self.images),
            **seen_in([{"id": "x", "origin": "x", "keywords": ["x"]}]),
        }

    def has_field(self, name: str) -> bool:
        return False

    def can_rerank(self) -> bool:
        return False

    def check(self) -> None:
        self.before()

    def picture(self, uri: str) -> Fetched | RowError:
        self.fetched.append(uri)
        name = uri.rpartition("/")[2].removesuffix(".png")
        content = self.files.get(uri, png(COLOURS[name], 800) if name in COLOURS else RowError("not_found", "gone"))
        return content if isinstance(content, RowError) else Fetched(content)

    def nearest(
        self,
        field: str,
        vectors: list[Vector],
        limit: int,
        where: Condition | None,
        fields: Sequence[str] | None = None,
    ) -> list[list[Result]]:
        embedder = FakeEmbedder()
        known = embedder.embed_passages([each.caption for each in self.images])
        ranked = [
            sorted(
                (
                    replace(each, score=float(own @ vector), scores={field: float(own @ vector)})
                    for each, own in zip(self.images, known, strict=True)
                    if where is None or holds(where, values_of(each))
                ),
                key=lambda result: -result.score,
            )
            for vector in vectors
        ]
        return [results[:limit] for results in ranked]

    def fused(
        self,
        vectors: list[Vector],
        limit: int,
        where: Condition | None,
        fields: Sequence[str] | None = None,
        *,
        by_score: bool = False,
    ) -> list[list[Result]]:
        return self.nearest("both", vectors, limit, where)

    def scored(self, vector: Vector, results: Sequence[Result]) -> list[Result]:
        return list(results)
