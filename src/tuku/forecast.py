"""What a run would do and cost, as a value: `tuku plan` and its JSON come from it. An estimate, never a promise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuku.report import Rows
from tuku.terms import Price

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class StageForecast:
    """What one stage would ask of its model's service.

    Attributes:
        model: its name.
        price: what it costs; None for a model that nobody charges for or limits: then there are no calls.
        calls: requests, each as full as the service allows. Retries are not foreseen.
        input_tokens: sent, pictures included.
        output_tokens: answered.
        cost: money, in the price's currency.
        minutes: how long the service's quota takes for it; None: no limit is known.
    """

    model: str
    price: Price | None = None
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    minutes: float | None = None


@dataclass(frozen=True)
class Forecast:
    """What ingesting a manifest would do.

    Attributes:
        rows: of the manifest, by what would become of them; those that fail because of the manifest are counted, those
            whose picture cannot be read are not known yet.
        stages: by name.
        sampled: pictures that were looked at.
        unreadable: those of them that cannot be read, by code.
        reasons: why rows need work (see `tuku.stages.plan.Counts`), and how many.
        warnings: what stands against the run, or against this forecast, for people.
    """

    rows: Rows
    stages: Mapping[str, StageForecast]
    sampled: int = 0
    unreadable: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def work(self) -> int:
        """Rows that would be worked on."""
        return self.rows.new + self.rows.changed

    @property
    def calls(self) -> int:
        """Requests of all stages."""
        return sum(stage.calls for stage in self.stages.values())

    @property
    def currency(self) -> str | None:
        """Of all that costs something; None where that is several."""
        used = {stage.price.currency for stage in self.stages.values() if stage.price is not None and stage.cost}
        return None if len(used) > 1 else next(iter(used), Price().currency)

    @property
    def cost(self) -> float | None:
        """Money for all stages; None where that is in several currencies."""
        return None if self.currency is None else sum(stage.cost for stage in self.stages.values())

    @property
    def minutes(self) -> float | None:
        """Of the slowest stage at its quota, for the stages work side by side; None: no limit is known."""
        asked = [stage.minutes for stage in self.stages.values() if stage.calls]
        known = [minutes for minutes in asked if minutes is not None]
        return max(known) if known else None if asked else 0.0

    def to_dict(self) -> dict[str, Any]:
        """The object that `plan --json` prints."""
        stages, total, minutes = self.stages.items(), self.cost, self.minutes
        return {
            "rows": self.rows.model_dump(mode="json"),
            "reasons": dict(self.reasons),
            "calls": {name: stage.calls for name, stage in stages},
            "tokens": {name: stage.input_tokens + stage.output_tokens for name, stage in stages},
            "cost": {
                **{name: round(stage.cost, 6) for name, stage in stages},
                "total": None if total is None else round(total, 6),
                "currency": self.currency,
            },
            "minutes_at_quota": None if minutes is None else round(minutes, 3),
        }

    def summary(self) -> RenderableType:
        """The forecast for a terminal (rich)."""
        from tuku.forecast_summary import Summary

        return Summary(self)
