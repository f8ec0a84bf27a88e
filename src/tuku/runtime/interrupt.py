"""SIGINT and SIGTERM become one exception, wherever the job is."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from tuku.errors import InterruptedRunError


@contextmanager
def interruptible() -> Iterator[None]:
    """Within the block, Ctrl-C and SIGTERM raise `InterruptedRunError`; a second one does so again."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python hands signals to the main thread only.
        return
    before = {number: signal.signal(number, _raise) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except _Signalled as signalled:
        raise _interrupted(signalled.number) from None
    except SystemExit as stop:
        # ray.init puts a SIGTERM handler of its own in the place of ours; it exits with the signal's number.
        if stop.code != signal.SIGTERM:
            raise
        raise _interrupted(signal.SIGTERM) from None
    finally:
        for number, handler in before.items():
            # None: the handler was not Python's and cannot be put back from here.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


class _Signalled(KeyboardInterrupt):
    """On its way through other people's code, where `except Exception` would swallow a `TukuError`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _raise(number: int, _frame: FrameType | None) -> None:
    raise _Signalled(number)


def _interrupted(number: int) -> InterruptedRunError:
    return InterruptedRunError(
        f"Stopped by {signal.Signals(number).name}.",
        "What was finished is kept. Run the same command again: it goes on from there.",
    )
