"""The processes of this machine, as Linux lists them."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process that was there when somebody looked.

    Attributes:
        title: its command line; Ray's workers write what they are into it, such as ``ray::MapWorker``.
    """

    pid: int
    parent: int
    started: str
    title: str

    @property
    def gone(self) -> bool:
        """Whether it has ended, though its parent may not have heard of it."""
        now = _read(self.pid)
        return now is None or now.started != self.started

    def kill(self) -> None:
        """SIGKILL."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


def descendants(pid: int) -> list[Process]:
    """All processes that a process has begun, and those that they have, and so on; parents first."""
    listed = [_read(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    children: dict[int, list[Process]] = {}
    for process in listed:
        if process is not None:
            children.setdefault(process.parent, []).append(process)
    found = list(children.get(pid, []))
    for process in found:  # it grows meanwhile
        found += children.get(process.pid, [])
    return found


def titled(title: str, of: int) -> list[Process]:
    """Those descendants whose title begins so."""
    return [process for process in descendants(of) if process.title.startswith(title)]


def wait_until_gone(processes: list[Process], timeout_s: float) -> list[float]:
    """When each was found to have ended (s, `time.monotonic`).

    Raises:
        TimeoutError: one lives on.
    """
    ended: dict[Process, float] = {}
    deadline = time.monotonic() + timeout_s
    while len(ended) < len(processes):
        for process in processes:
            if process not in ended and process.gone:
                ended[process] = time.monotonic()
        left = [process for process in processes if process not in ended]
        if left and time.monotonic() > deadline:
            raise TimeoutError(f"not gone after {timeout_s:g} s: {left}")
        time.sleep(0.002)
    return sorted(ended.values())


def _read(pid: int) -> Process | None:
    """Source: proc_pid_stat(5), fields 3, 4 and 22."""
    folder = Path("/proc") / str(pid)
    try:
        stat = (folder / "stat").read_text()
        title = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return None
    state, parent, *others = stat.rpartition(")")[2].split()  # the name before it may hold anything
    return None if state in "ZX" else Process(pid, int(parent), others[17], title)
