"""What was under way at a moment, and what was paid for twice, by the local DashScope's books."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fakes.dashscope import DashScopeServer

_ON_ITS_WAY_S = 0.1
"""From the server's last byte to the client's disk, and from the client's last byte to the server's books: 1 to 4 ms
where it was measured, and more when Ray starts processes on the same two cores."""

Death = tuple[float, float]
"""When the first of those who asked a service ended, and the last (s, `time.monotonic`)."""


@dataclass(frozen=True)
class _Item:
    """A picture or a text at one model (times in s, `time.monotonic`, which a machine's processes share).

    Attributes:
        accepted_s: when it was let in, time and again.
        intact_s: when intact answers had gone out.
    """

    name: str
    accepted_s: list[float]
    intact_s: list[float]

    @property
    def again(self) -> int:
        return len(self.accepted_s) - 1

    def under_way(self, death: Death, slack_s: float = 0.0) -> bool:
        """Whether it had been let in before the last one ended, and not answered since, until the first one did."""
        first_s, last_s = death[0] - slack_s, death[1] + slack_s
        accepted = max((time_s for time_s in self.accepted_s if time_s <= last_s), default=None)
        return accepted is not None and not any(accepted <= time_s < first_s for time_s in self.intact_s)


@dataclass(frozen=True)
class Bill:
    """What deaths cost.

    Attributes:
        in_flight: items that had been let in and not answered, of all deaths together.
        paid_twice: how many times an item was let in that had been let in before, whether or not it was answered.
        unexcused: items that were paid again more often than they were in flight at a death, or on their way to it or
            from it. If there are none, not more was paid twice than was under way.
    """

    in_flight: int
    paid_twice: int
    unexcused: list[str]

    @classmethod
    def of(cls, server: DashScopeServer, deaths: Sequence[Death]) -> Bill:
        """Read the server's books, once all is over."""
        items = _items(server)
        return cls(
            in_flight=sum(item.under_way(death) for item in items for death in deaths),
            paid_twice=sum(item.again for item in items),
            unexcused=[
                f"{item}, deaths {deaths}"
                for item in items
                if item.again > sum(item.under_way(death, _ON_ITS_WAY_S) for death in deaths)
            ],
        )


def _items(server: DashScopeServer) -> list[_Item]:
    return [
        _Item(f"{model} {item['item']}", item["accepted_s"], item["intact_s"])
        for model, items in server.items().items()
        for item in items
    ]
