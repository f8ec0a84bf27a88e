"""What was under way at a moment, and what was paid for twice, by the local DashScope's books."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from fakes.dashscope import DashScopeServer

_EVERY_S = 0.03
_ON_ITS_WAY_S = 0.3
"""From the server's last byte to the client's disk, and from the client's last byte to the server's books: both are
short of CPU while Ray starts processes on the same machine."""


@dataclass(frozen=True)
class _Entry:
    """The books when they were read, some time from `asked_s` to `heard_s`."""

    asked_s: float
    heard_s: float
    accepted: int
    answered: int


class Witness:
    """Reads the books again and again, from a thread."""

    def __init__(self, server: DashScopeServer) -> None:
        self._server = server
        self._entries: list[_Entry] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, name="witness", daemon=True)

    def __enter__(self) -> Witness:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def in_flight(self, first_s: float, last_s: float) -> int:
        """Items that may have been under way when those who had asked ended, between `first_s` and `last_s`.

        They are those that the server had let in by the time that the last one's requests had arrived, less those
        whose answers had gone out, and had had the time to reach a disk, before the first one ended.
        """
        while not self._entries or self._entries[-1].asked_s < last_s + _ON_ITS_WAY_S:
            time.sleep(_EVERY_S)
        entries = list(self._entries)
        accepted = next(entry.accepted for entry in entries if entry.asked_s >= last_s + _ON_ITS_WAY_S)
        answered = [entry.answered for entry in entries if entry.heard_s <= first_s - _ON_ITS_WAY_S]
        return accepted - max(answered, default=0)

    def _read(self) -> None:
        while not self._over.is_set():
            asked_s = time.monotonic()
            books = items(self._server)
            self._entries.append(_Entry(asked_s, time.monotonic(), books["accepted"], books["answered"]))
            self._over.wait(_EVERY_S)


def items(server: DashScopeServer) -> Counter[str]:
    """Of all models together: items ``accepted``, ``distinct`` ones of them, and ``answered`` ones."""
    models: Mapping[str, Any] = server.counters()["models"]
    total = Counter[str]()
    for counters in models.values():
        total.update({name: counters["items"][name] for name in ("accepted", "distinct", "answered")})
    return total


def paid_twice(server: DashScopeServer) -> int:
    """How many times an item was let in that had been let in before, whether or not it had been answered."""
    books = items(server)
    return books["accepted"] - books["distinct"]
