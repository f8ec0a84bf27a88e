"""A job of its own process that holds a lake's lease and does what it is told on its standard input, a word a line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from fakes.contenders import FAST
from fakes.tables import dead_letter_rows, image_rows
from tuku.errors import TukuError
from tuku.lake import Lake


class LeaseProcess:
    """The other end: starts the process, which then holds the lease and has written one image."""

    def __init__(self, lake: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        command = [sys.executable, "-m", "fakes.lease_process", str(lake)]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, env=environment, **pipes)
        self.run_id = self._answer()

    def tell(self, word: str) -> str:
        """What came of ``commit``, ``require`` or ``end``: ok, or the error."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return self._answer()

    def signal(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        self.process.send_signal(number)

    def close(self) -> None:
        """End the process, however it is."""
        self.process.kill()
        self.process.wait(30)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


def main(root: str) -> None:
    """Hold the lease until told ``end``."""
    lake = Lake.at(root)
    with lake.exclusive(command="tuku ingest", times=FAST) as lease:
        run, _ = lake.begin()
        run.write_block("block", image_rows({"image_id": "a"}), dead_letter_rows())
        answer(run.run_id)
        for line in sys.stdin:
            if line.strip() == "end":
                break
            try:
                {"commit": run.commit, "require": lease.require}[line.strip()]()
            except TukuError as error:
                answer(f"{type(error).__name__} {error}")
            else:
                answer("ok")
    answer("ended")


def answer(text: str) -> None:
    """One line to the other end."""
    print(text, flush=True)  # noqa: T201  the pipe is what it is for


if __name__ == "__main__":
    main(sys.argv[1])
