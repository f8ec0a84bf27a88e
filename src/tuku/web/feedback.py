"""Clicks, kept as Parquet files in the lake: what was asked, what was shown, what was opened. Never a picture."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tuku import __version__
from tuku.errors import TukuError
from tuku.schemas import CLICKS
from tuku.storage import Storage
from tuku.web.models import Click

MOST_KEPT = 10_000
"""Clicks in memory: those that come while nothing can be written, for as long as there is room."""

FOLDER = "feedback"
_log = logging.getLogger(__name__)


class Feedback:
    """Collects clicks and writes them in batches, each a whole file. Belongs to one event loop.

    Args:
        storage: the lake's.
        told: of how many clicks were ``recorded``, ``written``, ``dropped`` or ``failed`` to be written this time.
    """

    def __init__(self, storage: Storage, told: Callable[[str, int], object]) -> None:
        self._storage, self._told = storage, told
        self._rows: list[dict[str, Any]] = []
        self._writing = asyncio.Lock()
        self._complained = False

    def add(self, click: Click, now: datetime) -> bool:
        """Keep a click; whether there was room for it."""
        if len(self._rows) >= MOST_KEPT:
            self._told("dropped", 1)
            return False
        self._rows.append(row_of(click, now))
        self._told("recorded", 1)
        return True

    async def flush(self) -> None:
        """Write what there is. What cannot be written stays, and searching goes on."""
        async with self._writing:
            rows, self._rows = self._rows, []
            if not rows:
                return
            try:
                await asyncio.to_thread(self._write, rows)
            except (TukuError, OSError) as error:
                self._rows = [*rows, *self._rows][:MOST_KEPT]
                self._told("failed", len(rows))
                if not self._complained:
                    _log.warning("Clicks cannot be written, and are kept in memory: %s", error)
                self._complained = True
            else:
                self._complained = False
                self._told("written", len(rows))

    async def keep_flushing(self, every_s: float) -> None:
        """Flush for ever."""
        while True:
            await asyncio.sleep(every_s)
            await self.flush()

    def _write(self, rows: list[dict[str, Any]]) -> None:
        name = f"{FOLDER}/clicks-{rows[0]['clicked_at']:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}.parquet"
        with self._storage.atomic(name) as file:
            pq.write_table(pa.Table.from_pylist(rows, schema=CLICKS), file)


def row_of(click: Click, now: datetime) -> dict[str, Any]:
    """A row of `schemas.CLICKS`."""
    query = click.query
    return {
        "clicked_at": now.astimezone(timezone.utc),
        "text": query.text,
        "target": query.target,
        "where": query.where,
        "image_given": query.image_sha256 is not None,
        "image_sha256": query.image_sha256,
        "like": query.like,
        "shown": [{"id": each, "rank": rank} for rank, each in enumerate(click.results, start=1)],
        "clicked_id": click.id,
        "clicked_rank": click.rank,
        "tuku_version": __version__,
    }
