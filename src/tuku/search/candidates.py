"""What a reranker is shown: the pictures of the query and of the candidates, as far as they can be had."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from tuku.config import DecodeConfig
from tuku.errors import RowError
from tuku.fetching import Fetcher
from tuku.imaging import decode
from tuku.protocols import Picture, PictureSize
from tuku.search.query import Query
from tuku.search.results import Result

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Album:
    """Gets pictures.

    Args:
        fetcher: of the candidates' files, and of the query's unless it was given as bytes.
        decoding: limits.
    """

    fetcher: Fetcher
    decoding: DecodeConfig

    def pictures(self, results: Sequence[Result], size: PictureSize) -> list[Picture | None]:
        """One for each result, reduced to this size; None where it cannot be had any more."""
        files = self.fetcher.fetch([result.uri for result in results])
        return [
            self._decoded(result.id, file if isinstance(file, RowError) else file.content, size)
            for result, file in zip(results, files, strict=True)
        ]

    def file(self, query: Query) -> bytes | None:
        """The file of the query's picture; None if it has none, or it cannot be had again."""
        if not query.image:
            return None
        if isinstance(query.image, bytes):
            return query.image
        file = self.fetcher.fetch([query.image])[0]
        if isinstance(file, RowError):
            _log.info("The query's picture cannot be had again: %s", file)
            return None
        return file.content

    def decoded(self, file: bytes, size: PictureSize | None) -> Picture | None:
        """The query's picture; None if it is none."""
        return self._decoded("the query", file, size)

    def _decoded(self, of: str, content: bytes | RowError, size: PictureSize | None) -> Picture | None:
        try:
            if isinstance(content, RowError):
                raise content
            sizes = [] if size is None else [size]
            pixels = decode(content, max_pixels=self.decoding.max_pixels, sizes=sizes).pixels
        except RowError as error:
            _log.info("No picture of %s for the reranker: %s", of, error)
            return None
        return Picture(pixels, hashlib.sha256(content).hexdigest())
