"""What outlasts a request: settings, quotas, counters, and the mind that answers."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any
from weakref import WeakSet

from fakes.dashscope.asked import Asked
from fakes.dashscope.counters import ModelCounters
from fakes.dashscope.errors import ApiError, fatal
from fakes.dashscope.luck import Luck
from fakes.dashscope.minds import ColourMind, Mind
from fakes.dashscope.quota import Gate
from fakes.dashscope.settings import Settings


class State:
    """One server's; used on one event loop only."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.mind = _mind(settings.answers)
        self._outage_since = time.monotonic()
        self.reset()

    def reset(self) -> None:
        """Everything as at the start, but for the settings."""
        started = self._started = time.monotonic()
        self._cpu_started_s = time.process_time()
        self.luck = Luck(self.settings.seed)
        self._gates: defaultdict[str, Gate] = defaultdict(Gate)
        self.models: defaultdict[str, ModelCounters] = defaultdict(lambda: ModelCounters(started))
        self.rejected: Counter[str] = Counter()
        self._arrived = 0
        self._sockets = 0
        self._transports: WeakSet[Any] = WeakSet()

    def configure(self, changes: Mapping[str, Any]) -> None:
        """Change settings; quotas that have been used stay used.

        Raises:
            pydantic.ValidationError: an unknown name or an impossible value.
        """
        before, self.settings = self.settings, self.settings.changed(changes)
        if self.settings.answers != before.answers:
            self.mind = _mind(self.settings.answers)
        if self.settings.seed != before.seed:
            self.luck = Luck(self.settings.seed)
        if "outage" in changes:
            self._outage_since = time.monotonic()

    @property
    def outage(self) -> str | None:
        """How the service is down now, if it is."""
        outage = self.settings.outage
        if outage is None:
            return None
        since = time.monotonic() - self._outage_since - outage.start_s
        return outage.how if 0 <= since < outage.seconds else None

    def arrive(self, asked: Asked) -> ModelCounters:
        """Count a valid request; its model's counters."""
        self._arrived += 1
        counters = self.models[asked.model.name]
        counters.arrive(time.monotonic())
        return counters

    def check_service(self) -> None:
        """Whether anybody is served.

        Raises:
            ApiError: the service is down, or has had enough of this account.
        """
        self.check_outage()
        end = self.settings.fatal
        if end is not None and self._arrived > end.after_requests:
            raise fatal(end.code)

    def check_outage(self) -> None:
        """Whether the service is up.

        Raises:
            ApiError: it is not.
        """
        if self.outage:
            raise ApiError(503, "ModelUnavailable", "Model is unavailable, please try again later.")

    def enter(self, endpoint: str, asked: Asked, counters: ModelCounters) -> None:
        """Let a request in, with its input tokens; from now on it is in flight.

        Raises:
            ApiError: 429.
        """
        now, name = time.monotonic(), asked.model.name
        limits = self.settings.model_limits.get(name, self.settings.limits)
        self._gates[name].enter(asked.model, limits, asked.input_tokens, now)
        counters.accept(endpoint, asked, now)

    def bill(self, asked: Asked, output_tokens: int, counters: ModelCounters) -> None:
        """An answer has been made: its tokens are charged, whatever becomes of it on its way."""
        now = time.monotonic()
        self._gates[asked.model.name].answered(output_tokens, now)
        counters.bill(asked, output_tokens, now)

    def see(self, transport: object) -> None:
        """Count the socket, if it is a new one."""
        if transport is not None and transport not in self._transports:
            self._transports.add(transport)
            self._sockets += 1

    def page(self) -> dict[str, Any]:
        """The control page."""
        now = time.monotonic()
        return {
            "seconds": round(now - self._started, 3),
            "cpu_s": round(time.process_time() - self._cpu_started_s, 3),
            "sockets": self._sockets,
            "arrived": self._arrived,
            "rejected": dict(self.rejected),
            "models": {name: counters.page(now) for name, counters in self.models.items()},
        }

    def items(self) -> dict[str, list[dict[str, Any]]]:
        """By model, every item: see `Ledger.times`."""
        return {name: counters.items.times() for name, counters in self.models.items()}


def _mind(answers: str) -> Mind:
    if answers == "models":
        from fakes.dashscope.local_mind import LocalMind  # loads its models for a second or two

        return LocalMind()
    return ColourMind(sees=answers != "fixed", numbers=answers == "numbered")
