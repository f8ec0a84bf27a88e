"""A clock that somebody sets while processes run: for all Python processes that have `env` in their environment."""

from __future__ import annotations

import os
import struct
from pathlib import Path

_SITE = '''\
"""Shifts the wall clock by the seconds that stand in a file; monotonic clocks go on as they do."""
import datetime, mmap, os, struct, time

with open(os.environ["SET_CLOCK"], "rb") as file:
    seconds = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
real_time, real_time_ns, Real = time.time, time.time_ns, datetime.datetime
shift = lambda: struct.unpack("d", seconds[:8])[0]
time.time = lambda: real_time() + shift()
time.time_ns = lambda: real_time_ns() + int(shift() * 1e9)


class Shifted(Real):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls):
        return cls.now(datetime.timezone.utc).replace(tzinfo=None)


Shifted.__name__ = Shifted.__qualname__ = "datetime"
Shifted.__module__ = "datetime"
datetime.datetime = Shifted
'''


class Clock:
    """The wall clock of some processes.

    Args:
        folder: is made.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._file = folder / "seconds"
        self.set(0.0)
        (folder / "sitecustomize.py").write_text(_SITE)
        path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
        self.env = {"SET_CLOCK": str(self._file), "PYTHONPATH": path}

    def set(self, seconds: float) -> None:
        """By so much it is ahead of this machine's from now on; behind it, if negative."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("d", seconds))
