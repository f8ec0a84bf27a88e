"""The run's ledger as a Ray actor, and each worker's way to it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any

from tuku.config import LimitsConfig
from tuku.runtime.ledger import Allowance, Demand, Halt, Ledger, Use

_PATIENCE_S = 10.0
_ASK_AGAIN = {"max_restarts": -1, "max_task_retries": -1}
"""A ledger that is lost begins anew: each worker tells it the totals once a second."""


def start_control(limits: LimitsConfig) -> Any:
    """The ledger of a new run, as a handle that can be sent to workers; it ends with the driver."""
    import ray

    return ray.remote(num_cpus=0, **_ASK_AGAIN)(Ledger).remote(limits)


def demand(control: Any) -> Demand:
    """What was asked of each service in each second of the run (see `Ledger.series`); nothing if it is not known."""
    import ray

    if control is None:
        return {}
    try:
        series: Demand = ray.get(control.series.remote(), timeout=_PATIENCE_S)
    except ray.exceptions.RayError:
        return {}  # the cluster is going down: the report does without its chart
    return series


@dataclass(frozen=True)
class RemoteBooks:
    """The run's ledger as one worker sees it.

    Attributes:
        control: as `start_control` gave it.
        worker: distinguishes this worker from all others.
    """

    control: Any
    worker: str

    def enter(self, block: str) -> Halt | None:
        """See `Ledger.enter`; blocks."""
        import ray

        halt: Halt | None = ray.get(self.control.enter.remote(block))
        return halt

    def report(self, used: Mapping[str, Use], granted: Allowance) -> Halt | None:
        """See `Ledger.report`; blocks."""
        import ray

        halt: Halt | None = ray.get(self.control.report.remote(self.worker, dict(used), granted))
        return halt

    def grant(self, wanted: Allowance) -> Awaitable[Allowance | Halt]:
        """See `Ledger.grant`."""
        granted: Awaitable[Allowance | Halt] = self.control.grant.remote(self.worker, wanted)
        return granted

    def stop(self, halt: Halt) -> None:
        """See `Ledger.stop`; does not wait."""
        self.control.stop.remote(halt)
