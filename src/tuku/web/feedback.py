"""Clicks on their way to the lake: collected, and written in batches, each a whole file (`search.feedback`)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timezone

from tuku import __version__
from tuku.errors import TukuError
from tuku.search.feedback import Click, write_clicks
from tuku.storage import Storage
from tuku.terminal import printable
from tuku.web import models

MOST_CHARACTERS = 20_000_000
"""Of queries and ids in memory: clicks that come while nothing can be written are kept for as long as there is room."""

_FIXED = 200  # about what the rest of a click takes
_log = logging.getLogger(__name__)


class Feedback:
    """Belongs to one event loop.

    Args:
        storage: the lake's.
        told: of how many clicks were ``recorded``, ``written``, ``dropped`` or ``failed`` to be written this time.
    """

    def __init__(self, storage: Storage, told: Callable[[str, int], object]) -> None:
        self._storage, self._told = storage, told
        self._clicks: list[Click] = []
        self._characters = 0
        self._writing = asyncio.Lock()
        self._complained = False

    def add(self, clicked: models.Click) -> bool:
        """Keep a click; whether there was room for it."""
        click = _kept(clicked)
        if self._characters + _characters(click) > MOST_CHARACTERS:
            self._told("dropped", 1)
            return False
        self._characters += _characters(click)
        self._clicks.append(click)
        self._told("recorded", 1)
        return True

    async def flush(self) -> None:
        """Write what there is. What cannot be written stays, and searching goes on."""
        async with self._writing:
            clicks, self._clicks = self._clicks, []
            if not clicks:
                return
            try:
                await asyncio.to_thread(write_clicks, self._storage, clicks)
            except (TukuError, OSError) as error:
                self._clicks = [*clicks, *self._clicks]
                self._told("failed", len(clicks))
                if not self._complained:
                    _log.warning("Clicks cannot be written, and are kept in memory: %s", printable(str(error)))
                self._complained = True
            else:
                self._complained = False
                self._characters -= sum(map(_characters, clicks))
                self._told("written", len(clicks))

    async def keep_flushing(self, every_s: float) -> None:
        """Flush for ever."""
        while True:
            await asyncio.sleep(every_s)
            await self.flush()


def _kept(clicked: models.Click) -> Click:
    query = clicked.query
    return Click(
        clicked_at=datetime.now(timezone.utc),
        text=query.text,
        image_sha256=query.image_sha256,
        target=query.target or "",
        where=query.where,
        shown=tuple(clicked.results),
        image_id=clicked.id,
        rank=clicked.rank,
        version=__version__,
        like=query.like,
    )


def _characters(click: Click) -> int:
    texts = (click.text, click.where, click.like, click.image_id, *click.shown)
    return sum(len(text) for text in texts if text) + _FIXED
