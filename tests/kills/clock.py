"""A clock that somebody sets while processes run: for all Python processes that have `env` in their environment."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

_SHIM = r"""
/* To Python, and to gRPC, which is told by Python until when to wait, the wall clock is ahead by the seconds that stand
   in a file, a double; monotonic clocks go on as they do. To others it is not: they let the kernel wake them up at a
   time of the wall clock, and the kernel has the right one. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile double *ahead;
static const void *python;

static int believes(const void *caller) {
    Dl_info object;
    return dladdr(caller, &object) && (object.dli_fbase == python || strstr(object.dli_fname, "/cygrpc."));
}

__attribute__((constructor)) static void open_clock(void) {
    int file = open(getenv("SET_CLOCK"), O_RDONLY);
    void *page = mmap(0, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    Dl_info object;
    void *known = dlsym(RTLD_DEFAULT, "Py_GetVersion");
    if (page == MAP_FAILED || !known || !dladdr(known, &object)) return;
    python = object.dli_fbase;
    ahead = page;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && ahead && clock == CLOCK_REALTIME && believes(__builtin_return_address(0)))
        now->tv_sec += lrint(*ahead);
    return failed;
}
"""


class Clock:
    """The wall clock of some processes. Skips the test where none can be made: it needs Linux and a C compiler.

    Args:
        folder: is made.
    """

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc")
        if sys.platform != "linux" or compiler is None:
            pytest.skip("a clock that is set is a library in C that Linux loads first")
        folder.mkdir()
        source, library = folder / "clock.c", folder / "clock.so"
        source.write_text(_SHIM)
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-lm", "-ldl"], check=True)
        self._file = folder / "seconds"
        self._file.write_bytes(struct.pack("d", 0.0))
        self.env = {"SET_CLOCK": str(self._file), "LD_PRELOAD": str(library)}

    def set(self, seconds: float) -> None:
        """By so much it is ahead of this machine's from now on; behind it, if negative."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("d", seconds))
