"""Files without disks and networks."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image

from tuku.errors import RowError
from tuku.fetching.protocol import Fetched


@dataclass
class FakeFetcher:
    """Hands out bytes.

    Args:
        files: by URI: the content, or why it cannot be had; any other URI is ``not_found``.
        before: called with the URIs of every request, and may raise.
    """

    files: Mapping[str, bytes | RowError] = field(default_factory=dict)
    before: Callable[[Sequence[str]], None] | None = None
    threads: set[str] = field(default_factory=set)

    def fetch(self, uris: Sequence[str]) -> list[Fetched | RowError]:
        self.threads.add(threading.current_thread().name)
        if self.before is not None:
            self.before(uris)
        return [self._answer(uri) for uri in uris]

    def _answer(self, uri: str) -> Fetched | RowError:
        found = self.files.get(uri, RowError("not_found", f"There is no {uri}."))
        return found if isinstance(found, RowError) else Fetched(found)


def png(colour: tuple[int, int, int], side_px: int = 16) -> bytes:
    """A square picture of one RGB colour, as a PNG file."""
    file = io.BytesIO()
    Image.new("RGB", (side_px, side_px), colour).save(file, "PNG")
    return file.getvalue()
