"""Fetch: each row's bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Protocol

import pyarrow as pa

from tuku.errors import RowError
from tuku.fetching import Fetched
from tuku.schemas import FETCHED
from tuku.stages.outcome import Outcome, advance, alive


class Fetcher(Protocol):
    """Gets files."""

    def fetch(self, uris: Sequence[str]) -> list[Fetched | RowError]:
        """The bytes of each, or why they could not be had, in order."""
        ...


def fetch_batch(batch: pa.Table, fetcher: Fetcher) -> pa.Table:
    """Add the file's bytes and their sha256.

    Args:
        batch: n rows in schema `ROWS`.
        fetcher: gets them.

    Returns:
        n rows in schema `FETCHED`, in order.
    """
    positions = alive(batch)
    uris = batch.column("uri").to_pylist()
    files = fetcher.fetch([uris[i] for i in positions])
    return advance(batch, "fetch", FETCHED, positions, _outcomes(files))


def _outcomes(files: Sequence[Fetched | RowError]) -> Iterator[Outcome]:
    for file in files:
        if isinstance(file, RowError):
            yield file
        else:
            yield {"content": file.content, "content_sha256": hashlib.sha256(file.content).hexdigest()}
