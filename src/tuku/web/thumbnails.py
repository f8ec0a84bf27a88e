"""Small copies of the catalogue's pictures, found by id, made once, and kept in memory within bounds."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tuku.config import DecodeConfig
from tuku.errors import RowError
from tuku.imaging import encode_jpeg, thumbnail
from tuku.search.results import Result
from tuku.terminal import printable
from tuku.web.catalogue import Catalogue
from tuku.web.executor import BoundedExecutor, heard

WIDTHS = (160, 320, 640)
"""Sides of the squares that they fit, px."""

FRESH_S, MISSING_S = 600.0, 30.0
"""So long one is kept that was made, and the news that there is none."""

_QUALITY = 82
_MOST_ORIGINS = 20_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Thumbnail:
    """A JPEG file without anything of the original but its pixels; no content: the picture cannot be had."""

    content: bytes = field(repr=False)
    etag: str
    made_s: float

    @property
    def missing(self) -> bool:
        """Whether there is none."""
        return not self.content


class Thumbnails:
    """Belongs to one event loop.

    Args:
        catalogue: whose pictures they are.
        decoding: limits for them.
        executor: where they are made.
        max_bytes: of all that are kept.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        decoding: DecodeConfig,
        executor: BoundedExecutor,
        max_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalogue, self._decoding, self._executor, self._clock = catalogue, decoding, executor, clock
        self._max_bytes, self._bytes = max_bytes, 0
        self._kept: OrderedDict[tuple[str, int], Thumbnail] = OrderedDict()
        self._under_way: dict[tuple[str, int], asyncio.Task[Thumbnail]] = {}
        self._origins: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def expect(self, results: Iterable[Result]) -> None:
        """These are about to be asked for: for as long as a thumbnail is kept, where they are need not be looked up."""
        now_s = self._clock()
        for result in results:
            self._origins[result.id] = result.uri, now_s
            self._origins.move_to_end(result.id)
        while len(self._origins) > _MOST_ORIGINS:
            self._origins.popitem(last=False)

    async def get(self, image_id: str, width: int) -> tuple[Thumbnail, str]:
        """A thumbnail, and how it came about: ``hit``, ``made`` or ``missing``.

        Raises:
            RefusedError: 503: too many are being made.
            TukuError: the collection does not answer.
        """
        key = (image_id, width)
        kept = self._kept.get(key)
        if kept is not None and self._clock() - kept.made_s < (MISSING_S if kept.missing else FRESH_S):
            self._kept.move_to_end(key)
            return kept, "missing" if kept.missing else "hit"
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._make(key))
            task.add_done_callback(heard)
        made = await asyncio.shield(task)  # whoever asked first may go away
        return made, "missing" if made.missing else "made"

    async def _make(self, key: tuple[str, int]) -> Thumbnail:
        image_id, width = key
        try:
            origin, seen_s = self._origins.get(image_id, (None, 0.0))
            if self._clock() - seen_s >= FRESH_S:
                origin = None  # it may have left the catalogue
            content = await self._executor.run(lambda: self._content(image_id, origin, width))
            made = Thumbnail(content, f'"{hashlib.sha256(content).hexdigest()[:32]}"', self._clock())
            self._keep(key, made)
            return made
        finally:
            del self._under_way[key]

    def _content(self, image_id: str, origin: str | None, width: int) -> bytes:
        if origin is None:
            found = self._catalogue.find(image_id)
            if found is None:
                return b""
            origin = found.uri
        try:
            file = self._catalogue.picture(origin)
            if isinstance(file, RowError):
                raise file
            small = thumbnail(file.content, width, max_pixels=self._decoding.max_pixels)
        except RowError as error:
            _log.warning("No picture of %r: %s", image_id, printable(str(error)))
            return b""
        return encode_jpeg(small, _QUALITY)

    def _keep(self, key: tuple[str, int], made: Thumbnail) -> None:
        before = self._kept.pop(key, None)
        self._bytes += _weight(made) - (0 if before is None else _weight(before))
        self._kept[key] = made
        while self._bytes > self._max_bytes:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= _weight(dropped)


def _weight(made: Thumbnail) -> int:
    return len(made.content) + 1_000  # what Python needs beside the bytes; ids of missing pictures count too
