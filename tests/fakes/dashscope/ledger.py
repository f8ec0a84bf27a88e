"""Which items have been worked on, and which were paid for twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from fakes.dashscope.asked import Asked

_EXAMPLES = 10


@dataclass
class _Entry:
    accepted_s: list[float] = field(default_factory=list)
    intact_s: list[float] = field(default_factory=list)
    again: int = 0


class Ledger:
    """One model's items, by endpoint and key.

    An answer for an item is intact if it was good and all of its bytes had been handed to a connection that was
    still open. To accept a request for an item after that is to have it paid for twice.
    """

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], _Entry] = {}

    def accept(self, endpoint: str, asked: Asked, now: float) -> None:
        """The quota has let a request in: its items are being worked on from `now` (s, monotonic) on."""
        for item in asked.items:
            entry = self._entries.setdefault((endpoint, item.key), _Entry())
            entry.accepted_s.append(now)
            entry.again += bool(entry.intact_s)

    def answer(self, endpoint: str, asked: Asked, damaged: Iterable[int], now: float) -> None:
        """An answer has gone out completely; it is good for all items but those."""
        useless = set(damaged)
        for index, item in enumerate(asked.items):
            if index not in useless:
                self._entries[endpoint, item.key].intact_s.append(now)

    def page(self) -> dict[str, Any]:
        """For the control page."""
        entries = self._entries.values()
        again = [f"{endpoint} {key}" for (endpoint, key), entry in self._entries.items() if entry.again]
        return {
            "distinct": len(entries),
            "accepted": sum(len(entry.accepted_s) for entry in entries),
            "answered": sum(len(entry.intact_s) > 0 for entry in entries),
            "answered_more_than_once": sum(len(entry.intact_s) > 1 for entry in entries),
            "accepted_after_an_intact_answer": sum(entry.again for entry in entries),
            "examples": again[:_EXAMPLES],
        }

    def times(self) -> list[dict[str, Any]]:
        """When each item was let in, and when intact answers for it had gone out (s, monotonic)."""
        return [
            {"item": f"{endpoint} {key}", "accepted_s": entry.accepted_s, "intact_s": entry.intact_s}
            for (endpoint, key), entry in self._entries.items()
        ]
