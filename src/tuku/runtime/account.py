"""One worker's part in the run: what it may send, what it has used, and whether the run goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Protocol

from tuku.errors import TukuError
from tuku.protocols import Quota
from tuku.runtime.ledger import Halt, Returned, Use, ledger_lost
from tuku.terms import Charge, ThrottleKind

_REPORT_EVERY_S = 1.0


class Books(Protocol):
    """The run's `Ledger`, wherever it is."""

    def report(self, used: dict[str, Use], returned: Returned) -> Halt | None:
        """See `Ledger.report`; blocks."""
        ...

    def reserve(self, cost: float) -> Awaitable[Halt | None]:
        """See `Ledger.reserve`."""
        ...

    def stop(self, halt: Halt) -> None:
        """See `Ledger.stop`; does not wait."""
        ...


class RunAccount:
    """Shared by all quotas of a worker, from several threads and event loops.

    Args:
        books: the run's ledger. If it cannot be reached any more, the worker stops.
        limited: whether calls or money are limited, so that each request must be reserved.
    """

    def __init__(self, books: Books, *, limited: bool) -> None:
        self._books = books
        self._limited = limited
        self._lock = threading.Lock()
        self._returned = Returned()
        self._used: dict[str, Use] = {}
        self._halt: Halt | None = None
        self._error: TukuError | None = None
        self._listeners: list[Callable[[TukuError], None]] = []
        self._over = threading.Event()
        threading.Thread(target=self._report, name="run-account", daemon=True).start()

    @property
    def halted(self) -> TukuError | None:
        """Why the run ends, or None."""
        return self._error

    def on_halt(self, listener: Callable[[TukuError], None]) -> None:
        """Have a function called, in whichever thread learns of it, when nothing more is to be sent."""
        self._listeners.append(listener)
        if self._error is not None and self._halt is not None and not self._halt.finish:
            listener(self._error)

    def halt(self, error: TukuError) -> None:
        """End the whole run, everywhere."""
        halt = Halt.of(error)
        self._books.stop(halt)
        self._end(halt)

    async def reserve(self, charge: Charge) -> None:
        """Set a request aside in the run's books.

        Raises:
            TukuError: the run ends.
        """
        if self._limited and self._error is None:
            halt = await self._books.reserve(charge.cost)
            if halt is not None:
                self._end(halt)
        if self._error is not None:
            raise self._error

    def release(self, charge: Charge) -> None:
        """A request was not sent after all."""
        with self._lock:
            self._returned += Returned(1, charge.cost)

    def sent(self, stage: str, charge: Charge) -> None:
        """A request goes out now."""
        with self._lock:
            self._count(stage, Use(requests=1, tokens=charge.tokens))

    def correct(self, stage: str, charge: Charge, used: Charge, *, throttled: bool = False) -> None:
        """A request has ended and used something else than it was charged."""
        with self._lock:
            self._returned += Returned(0, charge.cost - used.cost)
            self._count(stage, Use(tokens=used.tokens - charge.tokens, throttled=int(throttled)))

    def report(self) -> None:
        """Tell the books what was used so far, and hear whether the run goes on; blocks."""
        with self._lock:
            used, returned = dict(self._used), self._returned
        try:
            halt = self._books.report(used, returned)
        except Exception as error:  # noqa: BLE001  Ray raises what it likes; nobody would hear of a halt any more
            halt = Halt.of(ledger_lost(error))
        if halt is not None:
            self._end(halt)

    def close(self) -> None:
        """End the reports."""
        self._over.set()
        self.report()

    def _count(self, stage: str, use: Use) -> None:
        self._used[stage] = self._used.get(stage, Use()) + use

    def _report(self) -> None:
        while not self._over.wait(_REPORT_EVERY_S):
            self.report()

    def _end(self, halt: Halt) -> None:
        with self._lock:
            if self._halt is not None and (halt.finish or not self._halt.finish):
                return
            self._halt, self._error = halt, halt.error()
            error = self._error
        if halt.finish:
            return  # nobody gets leave any more, but what has it is sent
        for listener in self._listeners:
            listener(error)


class MeteredQuota:
    """A model's quota, within what the run may spend.

    Args:
        stage: whose requests these are.
        quota: the account's.
        account: the run's, in this worker.
    """

    def __init__(self, stage: str, quota: Quota, account: RunAccount) -> None:
        self._stage = stage
        self._quota = quota
        self._account = account
        self._loop: asyncio.AbstractEventLoop | None = None
        account.on_halt(self._pass_on)

    async def acquire(self, charge: Charge) -> None:
        """See `Quota`."""
        self._loop = asyncio.get_running_loop()
        await self._account.reserve(charge)
        try:
            await self._quota.acquire(charge)
        except BaseException:
            self._account.release(charge)
            raise
        self._account.sent(self._stage, charge)

    def settle(self, charge: Charge, used: Charge) -> None:
        """See `Quota`."""
        self._quota.settle(charge, used)
        self._account.correct(self._stage, charge, used)

    def throttled(self, charge: Charge, kind: ThrottleKind, retry_after_s: float | None) -> None:
        """See `Quota`."""
        self._quota.throttled(charge, kind, retry_after_s)
        # A refused request is not billed.
        self._account.correct(self._stage, charge, Charge(), throttled=True)

    def halt(self, error: TukuError) -> None:
        """See `Quota`."""
        self._account.halt(error)

    @property
    def halted(self) -> TukuError | None:
        """See `Quota`."""
        return self._account.halted

    def _pass_on(self, error: TukuError) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._quota.halt, error)
