"""Says how far a run is: a live display on a terminal, a line every few seconds in a log. Never on stdout."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from typing import TextIO


class Progress(Protocol):
    """What the runtime tells while it works. Cheap to call, from any thread."""

    def start(self, total_rows: int | None) -> None:
        """The pipeline begins; `total_rows` go through every stage, None when nobody knows."""
        ...

    def advance(self, stage: str, rows: int, failed: int = 0) -> None:
        """`rows` more have left the stage, those that failed in an earlier one too; `failed` of them here."""
        ...

    def phase(self, name: str, detail: str = "") -> None:
        """The run enters ``plan``, ``pipeline``, ``load``, ``index``, ``memory``, ``verify``, or says more of it."""
        ...

    def close(self) -> None:
        """The run is over, well or badly; can be called twice."""
        ...


class SilentProgress:
    """Says nothing."""

    def start(self, total_rows: int | None) -> None:
        """See `Progress`."""

    def advance(self, stage: str, rows: int, failed: int = 0) -> None:
        """See `Progress`."""

    def phase(self, name: str, detail: str = "") -> None:
        """See `Progress`."""

    def close(self) -> None:
        """See `Progress`."""


def choose_progress(stream: TextIO, *, json: bool) -> Progress:
    """The display that fits: live where somebody looks at a terminal, log lines for programs and files.

    Args:
        stream: standard error, as a rule.
        json: whether a program reads the run's result.
    """
    if stream.isatty() and not json and os.environ.get("TERM") not in {"dumb", "unknown"}:
        from tuku.progress.live import LiveProgress

        return LiveProgress(stream)
    from tuku.progress.log import LogProgress

    return LogProgress(stream)
