"""Progress for logs: a line when a phase begins, one every few seconds, and always a last one."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from tuku import units
from tuku.progress.tally import StageTally, Tally
from tuku.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

_PIPELINE = "pipeline"


class LogProgress:
    """Writes whole lines to `stream`, each with the time in UTC.

    A thread of its own keeps the lines coming while a stage waits for a slow service: a log that falls silent
    looks like a job that hangs.

    Args:
        stream: where lines go; it is not closed.
        interval_s: seconds between two lines.
        clock: monotonic seconds.
    """

    def __init__(self, stream: TextIO, interval_s: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._interval_s = interval_s
        self._clock = clock
        self._began_s = self._last_line_s = clock()
        self._phase = self._detail = ""
        self._tally: Tally | None = None
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._heart: threading.Thread | None = None

    def start(self, total_rows: int | None) -> None:
        """See `Progress`."""
        with self._lock:
            self._tally = Tally(self._clock(), total_rows)
            self._write(f"{self._subject()}: {_all_of(total_rows)}")
            self._beat()

    def advance(self, stage: str, rows: int, failed: int = 0) -> None:
        """See `Progress`."""
        with self._lock:
            if self._tally is None:
                self._tally = Tally(self._began_s)
            self._tally.add(stage, rows, failed, self._clock())
            self._write_if_due()

    def phase(self, name: str, detail: str = "") -> None:
        """See `Progress`."""
        with self._lock:
            begins, self._phase, self._detail = name != self._phase, name, detail
            if begins:
                self._write(f"{name}: {detail}" if detail else name)
            self._write_if_due()
            self._beat()

    def close(self) -> None:
        """See `Progress`."""
        with self._lock:
            if self._closed.is_set():
                return
            elapsed = units.duration(self._clock() - self._began_s)
            stages = f": {self._stages(ended=True)}" if self._tally else ""
            self._write(f"end after {elapsed}{stages}")
            self._closed.set()
        if self._heart is not None:
            self._heart.join()

    def _beat(self) -> None:
        if self._heart is None and not self._closed.is_set():
            self._heart = threading.Thread(target=self._run, name="tuku-progress", daemon=True)
            self._heart.start()

    def _run(self) -> None:
        while not self._closed.wait(self._interval_s):
            with self._lock:
                self._write_if_due()

    def _write_if_due(self) -> None:
        if self._clock() - self._last_line_s < self._interval_s:
            return
        self._write(f"{self._subject()}: {self._state()}")

    def _subject(self) -> str:
        return self._phase or _PIPELINE

    def _state(self) -> str:
        if self._subject() == _PIPELINE:
            return self._stages()
        return self._detail or f"{units.duration(self._clock() - self._began_s)} since the start"

    def _stages(self, *, ended: bool = False) -> str:
        if self._tally is None or not self._tally.stages:
            return "no rows yet"
        now_s, tally = self._clock(), self._tally
        parts = [_stage(name, stage, tally, now_s) for name, stage in tally.stages.items()]
        eta_s = None if ended else tally.slowest_eta_s(now_s)
        return " | ".join(parts) + (f" | {units.duration(eta_s)} left" if eta_s else "")

    def _write(self, message: str) -> None:
        if self._closed.is_set():
            return
        self._last_line_s = self._clock()
        moment = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._stream.write(f"{moment} tuku {printable(message)}\n")
        self._stream.flush()


def _all_of(total_rows: int | None) -> str:
    return "rows not counted yet" if total_rows is None else f"{units.plural(total_rows, 'row')} to do"


def _stage(name: str, stage: StageTally, tally: Tally, now_s: float) -> str:
    total = f"/{tally.total_rows:,}" if tally.total_rows is not None else ""
    rate = stage.average_rows_per_s() if tally.done(stage) else stage.rows_per_s(now_s)
    failed = f", {stage.failed:,} failed" if stage.failed else ""
    return f"{name} {stage.rows:,}{total} at {units.rate(rate)}{failed}"
