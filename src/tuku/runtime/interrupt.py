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
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int, _frame: FrameType | None) -> None:
    raise InterruptedRunError(
        f"Stopped by {signal.Signals(number).name}.",
        "What was finished is kept. Run the same command again: it goes on from there.",
    )
