"""What the pipeline knows of fetching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from tuku.errors import RowError


@dataclass(frozen=True)
class Fetched:
    """A file as it was found.

    Attributes:
        content: its bytes, at least one.
        etag: as the server gave it; None for local files.
        last_modified: likewise, an HTTP date.
    """

    content: bytes = field(repr=False)
    etag: str | None = None
    last_modified: str | None = None


@runtime_checkable
class Fetcher(Protocol):
    """Gets files. Safe to call from several threads at once."""

    def fetch(self, uris: Sequence[str]) -> list[Fetched | RowError]:
        """One outcome for each URI, in order; a URI that is asked for twice is fetched once."""
        ...
