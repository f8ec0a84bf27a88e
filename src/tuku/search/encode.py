"""Queries become vectors: each phrase and each picture once, many of them in as few calls as the model takes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tuku.config import DecodeConfig
from tuku.errors import ConfigError, RowError, TukuError
from tuku.fetching import Fetcher
from tuku.imaging import decode
from tuku.protocols import Embedder, FusingEmbedder, Picture, Vector
from tuku.search.query import Query
from tuku.uris import STORES, scheme_of

Part = Literal["text", "picture", "text and picture"]
"""What of a query a vector is made of."""
_PICTURES_AT_ONCE = 64
_DECODING = threading.Lock()
"""One at a time: a picture of `decode.max_pixels` may take a gigabyte, and several would take as many."""


class NoVectorError(TukuError):
    """The model made no vector of the query.

    Args:
        fault: why not.
        part: of what.
    """

    def __init__(self, fault: RowError, part: Part) -> None:
        super().__init__(fault.sentence)
        self.fault, self.part = fault, part


class RefusedQueryError(ConfigError):
    """The model refuses a query, and would again.

    Args:
        fault: why.
        part: of the query that it refuses.
        remedy: what can be done.
    """

    def __init__(self, fault: RowError, part: Part, remedy: str = "") -> None:
        super().__init__(f"The query's {part} cannot be encoded: {fault.sentence}", remedy)
        self.fault, self.part = fault, part


@dataclass(frozen=True)
class Encoder:
    """Makes vectors of queries.

    Args:
        embedder: the model that filled the collection.
        fetcher: gets pictures by path or URL.
        decoding: limits for them.
        picture_weight: of the picture against the text, 0 to 1, where the model cannot look at both together.
        explained: makes what is raised of the reason why there is no vector, and of what there is none.
    """

    embedder: Embedder
    fetcher: Fetcher
    decoding: DecodeConfig
    picture_weight: float = 0.5
    explained: Callable[[RowError, Part], TukuError] = NoVectorError

    def encode(self, queries: Sequence[Query]) -> list[Vector]:
        """One float32 (dim,) L2-normalised vector for each query; not more than 64 pictures are in memory at once.

        A text with a picture is one vector where the model fuses them (`FusingEmbedder`), else the weighted sum of
        both vectors, normalised again.

        Raises:
            RowError: a picture cannot be fetched or decoded.
            ConfigError: a picture is in a bucket: whoever asks is not trusted as a manifest is.
            TukuError: the model refused a query, or did not answer.
        """
        return [vector for some in _parts(queries) for vector in self._encoded(some)]

    def _encoded(self, queries: Sequence[Query]) -> list[Vector]:
        pictures = self._fetched([query.image for query in queries if query.image])
        asked = [(query.text or "", pictures.get(query.image or "")) for query in queries]
        composed = [(text, picture) for text, picture in asked if text and picture is not None]
        if composed and isinstance(self.embedder, FusingEmbedder):
            fused = iter(self._vectors(self.embedder.embed_composed(composed), "text and picture"))
            rest = [(text, picture) for text, picture in asked if not (text and picture is not None)]
            others = iter(self._separately(rest))
            return [next(fused if text and picture is not None else others) for text, picture in asked]
        return self._separately(asked)

    def _separately(self, asked: Sequence[tuple[str, Picture | None]]) -> list[Vector]:
        texts = list(dict.fromkeys(text for text, _ in asked if text))
        pictures = {picture.content_sha256: picture for _, picture in asked if picture is not None}
        read = self._vectors(self.embedder.embed_queries(texts), "text") if texts else []
        seen = self._vectors(self.embedder.embed_pictures(list(pictures.values())), "picture") if pictures else []
        of_text, of_picture = dict(zip(texts, read, strict=True)), dict(zip(pictures, seen, strict=True))
        return [
            self._sum(of_text.get(text), None if picture is None else of_picture[picture.content_sha256])
            for text, picture in asked
        ]

    def _sum(self, text: Vector | None, picture: Vector | None) -> Vector:
        if text is None or picture is None:
            return text if picture is None else picture  # type: ignore[return-value]  # a query has one of them
        both = self.picture_weight * picture + (1.0 - self.picture_weight) * text
        length = float(np.linalg.norm(both))
        vector: Vector = (both / length if length > 0 else picture).astype(np.float32)
        return vector

    def _fetched(self, images: Sequence[str | bytes]) -> Mapping[str | bytes, Picture]:
        uris = list(dict.fromkeys(image for image in images if isinstance(image, str)))
        if any(scheme_of(uri) in STORES for uri in uris):
            raise ConfigError("A picture to search with cannot be in a bucket.", "Copy it here, and name the copy.")
        contents: dict[str | bytes, bytes | memoryview] = {image: image for image in images if isinstance(image, bytes)}
        for uri, file in zip(uris, self.fetcher.fetch(uris) if uris else [], strict=True):
            if isinstance(file, RowError):
                raise file
            contents[uri] = file.content
        return {image: self._picture(content) for image, content in contents.items()}

    def _picture(self, content: bytes | memoryview) -> Picture:
        size = self.embedder.description.picture_size
        with _DECODING:
            decoded = decode(content, max_pixels=self.decoding.max_pixels, sizes=[] if size is None else [size])
        return Picture(decoded.pixels, content_sha256=hashlib.sha256(content).hexdigest())

    def _vectors(self, outcomes: Sequence[Vector | RowError], part: Part) -> list[Vector]:
        for outcome in outcomes:
            if isinstance(outcome, RowError):
                raise self.explained(outcome, part) from outcome
        return [outcome for outcome in outcomes if not isinstance(outcome, RowError)]


def _parts(queries: Sequence[Query]) -> Iterator[list[Query]]:
    """The queries in their order, in parts that have not more different pictures than may be in memory."""
    part: list[Query] = []
    pictures: set[str | bytes] = set()
    for query in queries:
        if query.image and query.image not in pictures and len(pictures) == _PICTURES_AT_ONCE:
            yield part
            part, pictures = [], set()
        part.append(query)
        pictures |= {query.image} if query.image else set()
    yield part
