"""The run's ledger as a Ray actor, and everybody's way to it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuku.config import LimitsConfig
from tuku.runtime.ledger import Demand, Entry, Halt, Ledger, Returned, Use, ledger_lost

_PATIENCE_S = 10.0


def start_control(limits: LimitsConfig) -> Any:
    """The ledger of a new run, as a handle that can be sent to workers; it ends with the driver.

    It is not started again when it is lost: what was reserved would be forgotten, so the run stops instead. That is
    why it is on the driver's node: the loss of any other one does not end the run.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(num_cpus=0, max_restarts=0, scheduling_strategy=here)(Ledger).remote(limits)


def demand(control: Any) -> Demand:
    """What was asked of each service in each second of the run (see `Ledger.series`); nothing if it is not known."""
    import ray

    try:
        series: Demand = ray.get(control.series.remote(), timeout=_PATIENCE_S)
    except ray.exceptions.RayError:
        return {}  # the cluster is going down: the report does without its chart
    return series


def next_round(control: Any) -> None:
    """See `Ledger.next_round`; does not wait, for what is asked later is answered later."""
    control.next_round.remote()


def halt_and_list(control: Any, halt: Halt, timeout_s: float = _PATIENCE_S) -> set[str]:
    """End the run, unless it has been ended, so that no further block is taken up.

    Returns:
        All blocks that were taken up; none if the ledger is lost or does not answer in time.
    """
    import ray

    try:
        control.stop.remote(halt)
        blocks: set[str] = ray.get(control.entered_blocks.remote(), timeout=timeout_s)
    except ray.exceptions.RayError:
        return set()  # nobody can tell any more who works on what: nothing is waited for
    return blocks


@dataclass(frozen=True)
class RemoteBooks:
    """The run's ledger as one worker sees it.

    Attributes:
        control: as `start_control` gave it.
        worker: distinguishes this worker from all others.
    """

    control: Any
    worker: str

    def enter(self, block: str) -> Entry:
        """See `Ledger.enter`; blocks."""
        import ray

        try:
            entry: Entry = ray.get(self.control.enter.remote(block))
        except ray.exceptions.RayActorError as error:
            return Entry(Halt.of(ledger_lost(error)))
        return entry

    def claim(self, block: str, digests: Sequence[bytes]) -> list[bool]:
        """See `Ledger.claim`; blocks.

        Raises:
            StoppedError: the ledger is lost.
        """
        import ray

        try:
            granted: list[bool] = ray.get(self.control.claim.remote(block, list(digests)))
        except ray.exceptions.RayActorError as error:
            raise ledger_lost(error) from None
        return granted

    def report(self, used: Mapping[str, Use], returned: Returned) -> Halt | None:
        """See `Ledger.report`; blocks."""
        import ray

        halt: Halt | None = ray.get(self.control.report.remote(self.worker, dict(used), returned))
        return halt

    def reserve(self, cost: float) -> Awaitable[Halt | None]:
        """See `Ledger.reserve`."""
        halt: Awaitable[Halt | None] = self.control.reserve.remote(cost)
        return halt

    def stop(self, halt: Halt) -> None:
        """See `Ledger.stop`; does not wait."""
        self.control.stop.remote(halt)
