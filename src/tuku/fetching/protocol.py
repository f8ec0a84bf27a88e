"""What the pipeline knows of fetching."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from tuku.errors import RowError


@dataclass(frozen=True)
class Fetched:
    """A file as it was found.

    Attributes:
        content: its bytes, at least one.
        etag: as the server gave it; None for local files.
        last_modified: likewise, an HTTP date; None for an object that has an ETag.
    """

    content: bytes = field(repr=False)
    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True)
class Validators:
    """What a server said to tell the versions of a file apart: then it can be asked whether this is still the one.

    Attributes:
        etag: as the server gave it.
        last_modified: likewise.
    """

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True)
class NotModified:
    """The file is still the one that the validators are of."""


@dataclass(frozen=True)
class Listed:
    """An object that a store has listed.

    Attributes:
        uri: scheme, bucket and key.
        validators: the same that `Fetched` has of it.
    """

    uri: str
    validators: Validators


@runtime_checkable
class Fetcher(Protocol):
    """Gets files. Safe to call from several threads at once."""

    def fetch(self, uris: Sequence[str]) -> list[Fetched | RowError]:
        """One outcome for each URI, in order; a URI that is asked for twice is fetched once."""
        ...

    def fetch_changed(
        self, uris: Sequence[str], known: Mapping[str, Validators]
    ) -> list[Fetched | NotModified | RowError]:
        """Likewise, but `NotModified` for a file that is still the one that is known.

        Args:
            uris: of files.
            known: by URI, what the known file can be told by; a URI that is not in it is fetched.
        """
        ...
