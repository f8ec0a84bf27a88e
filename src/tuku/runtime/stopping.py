"""When a run that is to be stopped has nothing more to wait for. No Ray in here."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tuku import units
from tuku.errors import InterruptedRunError
from tuku.progress import Progress
from tuku.runtime.blocks import BlockStats
from tuku.runtime.ledger import Halt


class Stopping:
    """Whether the run is to be stopped, and whether what was under way then has come in.

    Args:
        halt_and_list: ends the run for all workers; all blocks that they had taken up (see `control`).
        blocks: those of this round.
        grace_s: how long they are waited for after a signal.
        progress: told of a signal.
    """

    def __init__(
        self, halt_and_list: Callable[[Halt], set[str]], blocks: set[str], grace_s: float, progress: Progress
    ) -> None:
        self._halt_and_list = halt_and_list
        self._blocks = blocks
        self._grace_s = grace_s
        self._progress = progress
        self._lock = threading.Lock()
        self._halt: Halt | None = None
        self._under_way: set[str] | None = None
        self._seen: set[str] = set()

    def after(self, stats: BlockStats) -> bool:
        """Whether nothing needs to be waited for after this block."""
        with self._lock:
            self._seen.add(stats.block)
            if self._halt is None and stats.fatal is not None:
                # Whoever met it has told the ledger; that decides what may still be sent.
                self._halt = stats.fatal._replace(finish=True)
            return self._halt is not None and self._all_in(self._halt)

    def by_signal(self, error: InterruptedRunError) -> bool:
        """Stop the run; whether there is anything to wait for. Safe to call from another thread."""
        self._progress.phase(
            "stop", f"{error.message} What is under way is finished, {units.duration(self._grace_s)} at most."
        )
        with self._lock:
            self._halt, self._under_way = Halt.of(error), None
            return not self._all_in(self._halt)

    def finish(self) -> None:
        """Raise what stopped the job, if anything did."""
        if self._halt is not None:
            raise self._halt.error()

    def _all_in(self, halt: Halt) -> bool:
        if self._under_way is None:  # from now on nobody takes up another
            self._under_way = self._halt_and_list(halt) & self._blocks
        return self._under_way <= self._seen
