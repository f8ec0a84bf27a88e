"""Which items have been worked on, and which were paid for twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fakes.dashscope.asked import Asked

_EXAMPLES = 10


@dataclass
class _Entry:
    accepted: int = 0
    intact: int = 0
    again: int = 0


class Ledger:
    """One model's items, by endpoint and key.

    An answer for an item is intact if it was good and all of its bytes had been handed to a connection that was
    still open. To accept a request for an item after that is to have it paid for twice.
    """

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], _Entry] = {}

    def accept(self, endpoint: str, asked: Asked) -> None:
        """The quota has let a request in: its items are being worked on."""
        for item in asked.items:
            entry = self._entries.setdefault((endpoint, item.key), _Entry())
            entry.accepted += 1
            entry.again += entry.intact > 0

    def answer(self, endpoint: str, asked: Asked, damaged: Iterable[int]) -> None:
        """An answer has gone out completely; it is good for all items but those."""
        useless = set(damaged)
        for index, item in enumerate(asked.items):
            if index not in useless:
                self._entries[endpoint, item.key].intact += 1

    def page(self) -> dict[str, Any]:
        """For the control page."""
        entries = self._entries.values()
        again = [f"{endpoint} {key}" for (endpoint, key), entry in self._entries.items() if entry.again]
        return {
            "distinct": len(entries),
            "accepted": sum(entry.accepted for entry in entries),
            "answered": sum(entry.intact > 0 for entry in entries),
            "answered_more_than_once": sum(entry.intact > 1 for entry in entries),
            "accepted_after_an_intact_answer": sum(entry.again for entry in entries),
            "examples": again[:_EXAMPLES],
        }
