"""A disk of a test's own, that can be filled up, and that can become read-only while files on it are open."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_CHUNK = bytes(64 * 1024)
_BUSY_S = 30.0


class Disk:
    """An ext4 file system in a file.

    Attributes:
        folder: where it is mounted.
    """

    def __init__(self, image: Path, folder: Path) -> None:
        self.folder = folder
        self._image = image
        self._filler = folder / "somebody-elses-file"

    def fill(self) -> None:
        """Somebody else takes all the room there is left."""
        with self._filler.open("wb", buffering=0) as file:
            for chunk in (_CHUNK, b"\0"):
                try:
                    while True:
                        file.write(chunk)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
            os.fsync(file.fileno())

    def free(self) -> None:
        """They are gone again."""
        self._filler.unlink()

    def fail(self) -> None:
        """What a kernel does after an error on the disk: read-only from now on, whoever has files open."""
        _require("mount", "-o", "remount,abort", self.folder)

    def mend(self) -> None:
        """As after a reboot: what had not reached the disk is lost."""
        self.unmount()
        self.mount()

    def mount(self) -> None:
        """Make it usable."""
        _require("mount", "-o", "loop", self._image, self.folder)

    def unmount(self) -> None:
        """Let go of it, as soon as everybody else has."""
        deadline = time.monotonic() + _BUSY_S
        while (done := _run("umount", self.folder)).returncode:
            assert time.monotonic() < deadline, done.stderr
            time.sleep(0.1)


@contextmanager
def make_disk(folder: Path, megabytes: int) -> Iterator[Disk]:
    """A disk, mounted; skips the test where that may not be done: it needs Linux, root, and loop devices."""
    image, mounted = folder / "disk.img", folder / "disk"
    mounted.mkdir(parents=True)
    if sys.platform != "linux" or shutil.which("mkfs.ext4", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
        pytest.skip("a disk that fails is an ext4 in a file: that needs Linux and mkfs.ext4")
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    _require("mkfs.ext4", "-q", "-m", "0", image)
    disk = Disk(image, mounted)
    if (done := _run("mount", "-o", "loop", image, mounted)).returncode:
        pytest.skip(f"may not mount a disk: {done.stderr.strip()}")
    try:
        yield disk
    finally:
        disk.unmount()


def _run(*command: object) -> subprocess.CompletedProcess[str]:
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
    )


def _require(*command: object) -> None:
    done = _run(*command)
    assert done.returncode == 0, f"{command}: {done.stderr}"
