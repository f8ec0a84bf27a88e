"""SIGINT and SIGTERM: first gently, then at once.

Wherever a run is, a signal raises `InterruptedRunError` in the main thread (`interruptible`): planning, loading and
verifying keep nothing in memory that would be worth waiting for. While the pipeline works, other processes have paid
requests under way. There the first signal raises nothing; it is passed on, so that the run comes to its end by itself
(`gently`). A second one, or the end of the grace time, raises.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType

from tuku.errors import InterruptedRunError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ECHO_S = 0.2
"""Sooner than this it is the first signal once more: `timeout` sends it to its child and then to the whole group."""
_AGAIN_S = 0.1

Handler = Callable[[int, FrameType | None], None]


@contextmanager
def interruptible() -> Iterator[None]:
    """Within the block, Ctrl-C and SIGTERM raise `InterruptedRunError`; a second one does so again."""
    try:
        with _handling(_raise):
            yield
    except KeyboardInterrupt:
        raise _interrupted(_Signalled.last) from None
    except SystemExit as stop:
        # While ray.init starts a cluster, SIGTERM has Ray's handler, which exits with the signal's number.
        if stop.code != signal.SIGTERM:
            raise
        raise _interrupted(signal.SIGTERM) from None


@contextmanager
def gently(stop: Callable[[InterruptedRunError], bool], grace_s: float) -> Iterator[None]:
    """Within the block, which is within an `interruptible` one, the first signal raises nothing.

    Args:
        stop: called with what the signal means, in another thread, for the main thread may be anywhere; makes the
            block end, and says whether there is anything to wait for.
        grace_s: seconds after which the block is ended as by a second signal.
    """
    watch = _Watch(stop, grace_s)
    with _handling(watch.hear):
        watch.start()
        try:
            yield
        finally:
            watch.end()
        watch.join()  # a signal of the last moment counts; after a second one nothing is waited for


class _Watch(threading.Thread):
    """Passes the first signal on, and sends it to the main thread once more when the grace time is over."""

    def __init__(self, stop: Callable[[InterruptedRunError], bool], grace_s: float) -> None:
        super().__init__(name="signals", daemon=True)
        self._stop_gently = stop
        self._grace_s = grace_s
        # Of all that wakes a thread only this may be used in a handler, which can interrupt itself.
        self._heard: SimpleQueue[int | None] = SimpleQueue()
        self._heard_s: float | None = None
        self._over = self._raised = False
        self._ended = threading.Event()

    def hear(self, number: int, _frame: FrameType | None) -> None:
        """The handler."""
        now = time.monotonic()
        if self._heard_s is None:
            self._heard_s = now
            self._heard.put(number)
        elif self._over or now - self._heard_s > _ECHO_S:
            self._raised = True
            _raise(number, None)

    def run(self) -> None:
        """See `threading.Thread`."""
        number = self._heard.get()
        if number is None:
            return
        deadline = time.monotonic() + self._grace_s
        if self._stop_gently(_interrupted(number)):
            self._ended.wait(max(0.0, deadline - time.monotonic()))
        self._over = True
        # Until it is heard: a signal that comes just before the main thread falls asleep in C does not wake it.
        while not self._raised and not self._ended.wait(_AGAIN_S):
            signal.pthread_kill(threading.main_thread().ident or 0, number)

    def end(self) -> None:
        """The block is over."""
        self._ended.set()
        self._heard.put(None)


class _Signalled(KeyboardInterrupt):
    """On its way through other people's code, where `except Exception` would swallow a `TukuError`."""

    last: int = signal.SIGINT
    """Which signal it was: where Ray waits in C++, an empty KeyboardInterrupt comes out."""


@contextmanager
def _handling(handler: Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # Python hands signals to the main thread only.
        return
    before = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, earlier in before.items():
            # None: the handler was not Python's and cannot be put back from here.
            signal.signal(number, signal.SIG_DFL if earlier is None else earlier)


def _raise(number: int, _frame: FrameType | None) -> None:
    _Signalled.last = number
    raise _Signalled


def _interrupted(number: int) -> InterruptedRunError:
    return InterruptedRunError(
        f"Stopped by {signal.Signals(number).name}.",
        "What was finished is kept. Run the same command again: it goes on from there.",
    )
