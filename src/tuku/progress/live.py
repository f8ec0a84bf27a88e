"""Progress for people: phases with their times, and a bar with rate and time left for every stage."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from tuku import units
from tuku.progress.tally import StageTally, Tally
from tuku.terminal import make_console, printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from rich.console import RenderableType

_BAR_CELLS = 28
_REDRAWS_PER_S = 8


@dataclass
class _Phase:
    name: str
    detail: str
    began_s: float
    ended_s: float | None = None


class LiveProgress:
    """Redraws a few lines at the bottom of a terminal, and leaves the last state there.

    What other code writes to stderr meanwhile goes above the display; stdout is left alone.

    Args:
        stream: a terminal.
        clock: monotonic seconds.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._phases: list[_Phase] = []
        self._tally: Tally | None = None
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(
            console=make_console(stream),
            get_renderable=self.render,
            refresh_per_second=_REDRAWS_PER_S,
            redirect_stdout=False,  # stdout belongs to the result
        )
        self._over = False

    def start(self, total_rows: int | None) -> None:
        """See `Progress`."""
        with self._lock:
            if not self._phases or self._phases[-1].name != "pipeline":
                self.phase("pipeline")
            self._tally = Tally(self._clock(), total_rows)

    def advance(self, stage: str, rows: int, failed: int = 0) -> None:
        """See `Progress`."""
        with self._lock:
            if self._tally is None:
                self.start(None)
            if self._tally is not None:
                self._tally.add(stage, rows, failed, self._clock())

    def phase(self, name: str, detail: str = "") -> None:
        """See `Progress`."""
        with self._lock:
            if self._phases and self._phases[-1].name == name:
                self._phases[-1].detail = detail or self._phases[-1].detail
            else:
                self._end_phase()
                self._phases.append(_Phase(name, detail, self._clock()))
            if not self._over:
                self._live.start()

    def close(self) -> None:
        """See `Progress`."""
        with self._lock:
            if self._over:
                return
            self._over = True
            self._end_phase()
        self._live.stop()

    def _end_phase(self) -> None:
        if self._phases and self._phases[-1].ended_s is None:
            self._phases[-1].ended_s = self._clock()

    def render(self) -> RenderableType:
        """The display as it is now; rich asks for it several times a second."""
        with self._lock:
            now_s = self._clock()
            lines: list[RenderableType] = []
            for phase in self._phases:
                lines.append(self._phase_line(phase, now_s))
                if phase.name == "pipeline" and self._tally is not None:
                    lines.append(_stage_table(self._tally, now_s, live=phase.ended_s is None))
            return Group(*lines)

    def _phase_line(self, phase: _Phase, now_s: float) -> RenderableType:
        line = Table.grid(padding=(0, 1))
        elapsed = units.duration((now_s if phase.ended_s is None else phase.ended_s) - phase.began_s)
        line.add_row(
            self._spinner if phase.ended_s is None else Text("•", style="green"),
            Text(f"{phase.name:<9}", style="bold"),
            Text(f"{elapsed:>6}", style="dim"),
            Text(printable(phase.detail), no_wrap=True, overflow="ellipsis"),
        )
        return line


def _stage_table(tally: Tally, now_s: float, *, live: bool) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(min_width=11)
    table.add_column(width=_BAR_CELLS)
    for _ in range(3):
        table.add_column(justify="right", no_wrap=True)
    table.add_column(style="red", no_wrap=True)
    for name, stage in tally.stages.items():
        table.add_row(f"    {printable(name)}", *_stage_cells(stage, tally, now_s, live=live))
    return table


def _stage_cells(stage: StageTally, tally: Tally, now_s: float, *, live: bool) -> list[RenderableType]:
    total = tally.total_rows
    over = tally.done(stage) or not live
    rate = stage.average_rows_per_s() if over else stage.rows_per_s(now_s)
    eta_s = None if over else tally.eta_s(stage, now_s)
    return [
        ProgressBar(total=total, completed=stage.rows, width=_BAR_CELLS, pulse=total is None and live),
        f"{stage.rows:,}" if total is None else f"{stage.rows:,}/{total:,}",
        units.rate(rate),
        "" if eta_s is None else f"{units.duration(eta_s)} left",
        f"{stage.failed:,} failed" if stage.failed else "",
    ]
