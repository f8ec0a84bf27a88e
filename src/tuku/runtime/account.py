"""One worker's part in the run: what it may spend, what it has used, and whether the run goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Protocol

from tuku import errors
from tuku.errors import TukuError
from tuku.protocols import Quota
from tuku.runtime.ledger import Allowance, Halt, Use
from tuku.terms import Charge, ThrottleKind

_REPORT_EVERY_S = 1.0


class Books(Protocol):
    """The run's `Ledger`, wherever it is."""

    def report(self, used: dict[str, Use], granted: Allowance) -> Halt | None:
        """See `Ledger.report`; blocks."""
        ...

    def grant(self, wanted: Allowance) -> Awaitable[Allowance | Halt]:
        """See `Ledger.grant`."""
        ...

    def stop(self, halt: Halt) -> None:
        """See `Ledger.stop`; does not wait."""
        ...


class RunAccount:
    """Shared by all quotas of a worker, from several threads and event loops.

    Args:
        books: the run's ledger.
    """

    def __init__(self, books: Books) -> None:
        self._books = books
        self._lock = threading.Lock()
        self._granted = self._left = Allowance()
        self._used: dict[str, Use] = {}
        self._halted: TukuError | None = None
        self._listeners: list[Callable[[TukuError], None]] = []
        self._over = threading.Event()
        threading.Thread(target=self._report, name="run-account", daemon=True).start()

    @property
    def halted(self) -> TukuError | None:
        """Why the run ends, or None."""
        return self._halted

    def on_halt(self, listener: Callable[[TukuError], None]) -> None:
        """Have a function called, in whichever thread learns of it, when nothing more is to be sent."""
        self._listeners.append(listener)
        if self._halted is not None:
            listener(self._halted)

    def halt(self, error: TukuError) -> None:
        """End the whole run, everywhere."""
        self._books.stop(Halt(type(error).__name__, error.message, error.remedy))
        self._end(error)

    async def reserve(self, charge: Charge) -> None:
        """Take what a request may cost out of what may be spent.

        Raises:
            TukuError: the run ends.
        """
        while not self._take(charge):
            answer = await self._books.grant(Allowance(1, charge.cost))
            if isinstance(answer, Allowance):
                with self._lock:
                    self._granted, self._left = self._granted + answer, self._left + answer
            elif self._take(charge):  # another request has given back meanwhile what it had set aside
                return
            else:
                self._books.stop(answer)
                self._end(_error(answer), finish=answer.finish)

    def _take(self, charge: Charge) -> bool:
        with self._lock:
            if self._halted is not None:
                raise self._halted
            if self._left.calls < 1 or self._left.cost < charge.cost:
                return False
            self._left += Allowance(-1, -charge.cost)
            return True

    def release(self, charge: Charge) -> None:
        """A request was not sent after all."""
        with self._lock:
            self._left += Allowance(1, charge.cost)

    def sent(self, stage: str, charge: Charge) -> None:
        """A request goes out now."""
        with self._lock:
            self._count(stage, Use(requests=1, tokens=charge.tokens))

    def correct(self, stage: str, charge: Charge, used: Charge, *, throttled: bool = False) -> None:
        """A request has ended and used something else than it was charged."""
        with self._lock:
            self._left += Allowance(0, charge.cost - used.cost)
            self._count(stage, Use(tokens=used.tokens - charge.tokens, throttled=int(throttled)))

    def close(self) -> None:
        """Report a last time."""
        self._over.set()
        self._learn()

    def _count(self, stage: str, use: Use) -> None:
        self._used[stage] = self._used.get(stage, Use()) + use

    def _report(self) -> None:
        while not self._over.wait(_REPORT_EVERY_S):
            self._learn()

    def _learn(self) -> None:
        with self._lock:
            used, granted = dict(self._used), self._granted
        halt = self._books.report(used, granted)
        if halt is not None:
            self._end(_error(halt), finish=halt.finish)

    def _end(self, error: TukuError, *, finish: bool = False) -> None:
        with self._lock:
            if self._halted is not None:
                return
            self._halted = error
        if finish:
            return  # nobody gets leave any more, but what has it is sent
        for listener in self._listeners:
            listener(error)


def _error(halt: Halt) -> TukuError:
    error: TukuError = getattr(errors, halt.name, TukuError)(halt.message, halt.remedy)
    return error


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
