"""Files without disks and networks."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image

from tuku.errors import RowError
from tuku.fetching.protocol import Fetched, NotModified, Validators


@dataclass
class FakeFetcher:
    """Hands out bytes.

    Args:
        files: by URI: the content, or all of the answer, or why it cannot be had; any other URI is ``not_found``.
        before: called with the URIs of every request, and may raise.

    Attributes:
        asked: by URI, what it was asked with, the last time.
        sent: URIs of files that were handed out, in order.
    """

    files: Mapping[str, bytes | Fetched | RowError] = field(default_factory=dict)
    before: Callable[[Sequence[str]], None] | None = None
    threads: set[str] = field(default_factory=set)
    asked: dict[str, Validators | None] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)

    def fetch(self, uris: Sequence[str]) -> list[Fetched | RowError]:
        return [file for file in self.fetch_changed(uris, {}) if not isinstance(file, NotModified)]

    def fetch_changed(
        self, uris: Sequence[str], known: Mapping[str, Validators]
    ) -> list[Fetched | NotModified | RowError]:
        self.threads.add(threading.current_thread().name)
        if self.before is not None:
            self.before(uris)
        return [self._answer(uri, known.get(uri)) for uri in uris]

    def _answer(self, uri: str, known: Validators | None) -> Fetched | NotModified | RowError:
        self.asked[uri] = known
        found = self.files.get(uri, RowError("not_found", f"There is no {uri}."))
        if isinstance(found, RowError):
            return found
        file = Fetched(found) if isinstance(found, bytes) else found
        if known is not None and known == Validators(file.etag, file.last_modified):
            return NotModified()
        self.sent.append(uri)
        return file


def png(colour: tuple[int, int, int], side_px: int = 16) -> bytes:
    """A square picture of one RGB colour, as a PNG file."""
    file = io.BytesIO()
    Image.new("RGB", (side_px, side_px), colour).save(file, "PNG")
    return file.getvalue()
