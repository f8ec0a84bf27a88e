"""SIGINT and SIGTERM: first gently, then at once.

Wherever a run is, a signal raises `InterruptedRunError` in the main thread (`interruptible`): planning, loading and
verifying keep nothing in memory that would be worth waiting for. While the pipeline works, other processes have paid
requests under way. There the first signal raises nothing; it is passed on, so that the run comes to its end by itself
(`gently`). A second one, or the end of the grace time, raises.

What a handler raises can get lost: in a ``__del__``, in a library that catches everything, or because the main thread
was just about to fall asleep in C. So a thread repeats the signal until the block has been left; repetitions do nothing
while the exception is on its way and things are being cleaned up. Nor does Python print what got lost: it comes again.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from types import FrameType

from tuku.errors import InterruptedRunError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ECHO_S = 0.2
"""Sooner than this it is the first signal once more: `timeout` sends it to its child and then to the whole group."""
_AGAIN_S = 1.0

Stop = Callable[[InterruptedRunError], bool]


@contextmanager
def interruptible() -> Iterator[None]:
    """Within the block, Ctrl-C and SIGTERM raise `InterruptedRunError`; a second one does so again."""
    watch = _Watch(None, 0.0)
    try:
        with watch.keeping():
            yield
    except KeyboardInterrupt:
        raise _interrupted(_Signalled.last) from None
    except SystemExit as stop:
        # While ray.init starts a cluster, SIGTERM has Ray's handler, which exits with the signal's number.
        if stop.code != signal.SIGTERM:
            raise
        raise _interrupted(signal.SIGTERM) from None


@contextmanager
def gently(stop: Stop, grace_s: float) -> Iterator[None]:
    """Within the block, which is within an `interruptible` one, the first signal raises nothing.

    Args:
        stop: called with what the signal means, in another thread, for the main thread may be anywhere; makes the
            block end, and says whether there is anything to wait for.
        grace_s: seconds after which the block is ended as by a second signal.
    """
    watch = _Watch(stop, grace_s)
    with watch.keeping():
        yield
    watch.join()
    watch.raise_late()


class _Signalled(KeyboardInterrupt):
    """On its way through other people's code, where `except Exception` would swallow a `TukuError`."""

    last: int = signal.SIGINT
    """Which signal it was: where Ray waits in C++, an empty KeyboardInterrupt comes out."""


class _Watch(threading.Thread):
    """The handler of signals within a block, and the thread that does what a handler cannot do."""

    def __init__(self, stop: Stop | None, grace_s: float) -> None:
        super().__init__(name="signals", daemon=True)
        self._stop_gently = stop
        self._grace_s = grace_s
        # Numbers of signals, and None at the end. Nothing else may be used in a handler, which can interrupt itself.
        self._news: SimpleQueue[int | None] = SimpleQueue()
        self._first_s: float | None = None
        self._left = self._repeated = False
        self._repeating = threading.Lock()

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Signals come here within the block, and then go where they went before."""
        self.start()
        before = {}
        unraisable = sys.unraisablehook
        sys.unraisablehook = lambda lost: None if isinstance(lost.exc_value, _Signalled) else unraisable(lost)
        try:
            if threading.current_thread() is threading.main_thread():  # no other is given signals by Python
                before = {number: signal.signal(number, self._hear) for number in _SIGNALS}
            yield
        finally:
            try:
                self._left = True
                self._news.put(None)
                with self._repeating:
                    pass  # a repetition that is being sent has come here
            finally:
                sys.unraisablehook = unraisable
                for number, handler in before.items():
                    # None: the handler was not Python's and cannot be put back from here.
                    signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def run(self) -> None:
        """See `threading.Thread`."""
        number = self._news.get()
        if number is None:
            return
        deadline = time.monotonic() + self._grace_s
        waits = self._stop_gently is not None and self._stop_gently(_interrupted(number))
        if waits and self._ends_within(max(0.0, deadline - time.monotonic())):
            return
        while not self._ends_within(_AGAIN_S):
            with self._repeating:
                if self._left:
                    return
                self._repeated = True
                signal.pthread_kill(threading.main_thread().ident or 0, number)

    def raise_late(self) -> None:
        """A signal that came when the thread was already through counts as well."""
        while not self._news.empty():
            number = self._news.get()
            if number is not None:
                _Signalled.last = number
                raise _Signalled

    def _ends_within(self, seconds: float) -> bool:
        """Whether the block is left; a further signal cuts the waiting short."""
        try:
            return self._news.get(timeout=seconds) is None
        except Empty:
            return False

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        repeated, self._repeated = self._repeated, False
        now = time.monotonic()
        first, self._first_s = self._first_s is None, self._first_s or now
        if repeated:
            if self._left or _on_its_way():
                return
        elif first or now - self._first_s > _ECHO_S:
            self._news.put(number)
            if first and self._stop_gently is not None:
                return
        else:
            return
        _Signalled.last = number
        raise _Signalled


def _on_its_way() -> bool:
    error = sys.exc_info()[1]
    while error is not None and not isinstance(error, (KeyboardInterrupt, SystemExit)):
        error = error.__context__
    return error is not None


def _interrupted(number: int) -> InterruptedRunError:
    return InterruptedRunError(
        f"Stopped by {signal.Signals(number).name}.",
        "What was finished is kept. Run the same command again: it goes on from there.",
    )
