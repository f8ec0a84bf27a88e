"""Who holds a lease: what is written into it, and whether that process is gone."""

from __future__ import annotations

import json
import os
import platform
import secrets
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timezone
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class Holder:
    """A process that works on a lake.

    Attributes:
        owner: random; tells two leases of one process apart.
        host: for people.
        machine: which table of processes `pid` stands in: two containers of one name are two; empty if unknown.
        pid: the process.
        process_start: when it started, as the machine counts: another process may get the same `pid` later.
        command: what it does, for people.
        since: UTC, ISO 8601, by the holder's clock; for people only.
        beat: raised by one each time the lease is renewed.
        left: it has given the lease back: anybody may have it.
    """

    owner: str
    host: str
    machine: str
    pid: int
    process_start: str
    command: str
    since: str
    beat: int = 0
    left: bool = False

    @classmethod
    def this_process(cls, command: str) -> Holder:
        """The calling process, from now on."""
        since = datetime.now(timezone.utc).isoformat(timespec="seconds")
        pid = os.getpid()
        return cls(secrets.token_hex(8), platform.node(), _machine(), pid, _start(pid) or "", command, since)

    @classmethod
    def read(cls, content: bytes) -> Holder | None:
        """From a lease; None for what is none, such as the empty file that a power failure may leave."""
        try:
            values = json.loads(content)
            holder = cls(**{field.name: values[field.name] for field in fields(cls)})
        except (ValueError, KeyError, TypeError):
            return None
        return holder if isinstance(holder.pid, int) and isinstance(holder.beat, int) else None

    def to_json(self) -> bytes:
        """As it stands in the lake."""
        return (json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n").encode()

    def next_beat(self) -> Holder:
        """The same one, still at work."""
        return replace(self, beat=self.beat + 1)

    def leaving(self) -> Holder:
        """The same one, at its end."""
        return replace(self, left=True)

    def is_gone(self) -> bool:
        """Whether this is a process of this machine that has ended. False where that cannot be known."""
        if not self.machine or self.machine != _machine() or self.pid <= 0:
            return False
        try:
            os.kill(self.pid, 0)  # The signal 0 only asks.
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # Somebody else's process: it is there.
        start = _start(self.pid)
        return start is not None and start != self.process_start

    def __str__(self) -> str:
        return f"`{self.command}` on {self.host}, process {self.pid}, since {self.since}"


def _machine() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def _start(pid: int) -> str | None:
    """When a process started, in clock ticks since the machine did; "ended" if only its parent keeps it listed.

    Returns None where the system does not tell. Source: proc_pid_stat(5), fields 3 and 22.
    """
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    state, *others = stat.rpartition(")")[2].split()  # The name before it may hold anything.
    return "ended" if state in "ZX" else others[18]
