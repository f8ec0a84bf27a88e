"""A `tuku ingest` in a process of its own, with a lake and a Milvus file, and what can be seen of it from outside."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from kills.outcome import Outcome, outcome
from kills.processes import descendants
from support import Tuku, environment

END = "end"
_PHASE = re.compile(r"^\S+Z tuku (\w+)", re.MULTILINE)


class Place:
    """Where one lake and its Milvus file are kept, night for night.

    Args:
        folder: is made.
        arguments: of `tuku`, the command first.
        env: of every process.
        logs: where what runs say is kept.
    """

    def __init__(self, folder: Path, arguments: Sequence[str], env: Mapping[str, str], logs: Path) -> None:
        folder.mkdir(parents=True)
        logs.mkdir(parents=True)
        self.tuku = Tuku(folder)
        self._logs = logs
        self._arguments = list(arguments)
        self._env = dict(env)
        self._nights = 0

    def begin_as(self, other: Place) -> None:
        """Take over what another place has."""
        shutil.copytree(other.tuku.folder, self.tuku.folder, dirs_exist_ok=True)

    def night(self, *options: str) -> Night:
        """Start a run."""
        self._nights += 1
        log = self._logs / f"night-{self._nights}.txt"
        return Night(self.tuku, self.tuku.command(*self._arguments, *options), self._env, log)

    def outcome(self) -> Outcome:
        """What it holds."""
        return outcome(self.tuku.lake, self.tuku.folder / "milvus.db")


class Night:
    """One run; it is ended with the block, with all that it started."""

    def __init__(self, tuku: Tuku, command: list[str], env: Mapping[str, str], log: Path) -> None:
        self.lake = tuku.lake
        self._log = log
        self._before = set(_runs(tuku.lake))
        with log.open("w") as file:
            self.process = subprocess.Popen(
                command, cwd=tuku.folder, env=environment(env), stdout=subprocess.DEVNULL, stderr=file
            )

    def __enter__(self) -> Night:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        own = descendants(self.process.pid)
        self.process.kill()
        self.process.wait()
        for process in own:
            process.kill()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def follows(self) -> bool:
        """Whether the lake had runs before."""
        return bool(self._before)

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    @property
    def said(self) -> str:
        return self._log.read_text()

    def phases(self) -> list[str]:
        """The phases so far, in order."""
        return _PHASE.findall(self.said)

    def onsets(self, timeout_s: float = 200) -> dict[str, float]:
        """Watch the run to its end: when each phase was first heard of (s, `time.monotonic`)."""
        heard: dict[str, float] = {}
        deadline = time.monotonic() + timeout_s
        while not self.ended:
            assert time.monotonic() < deadline, self.said
            for phase in self.phases():
                heard.setdefault(phase, time.monotonic())
            time.sleep(0.005)
        heard[END] = time.monotonic()
        return heard

    def wait(self, timeout_s: float = 200) -> int:
        """Its exit code."""
        return self.process.wait(timeout_s)

    def files(self, pattern: str) -> list[Path]:
        """What this run has put into the lake, unfinished files too."""
        folder = self._folder()
        return [] if folder is None else list(folder.glob(pattern))

    def read(self, name: str) -> str:
        """One of its files; empty if it is not there yet."""
        folder = self._folder()
        if folder is None or not (folder / name).exists():
            return ""
        return (folder / name).read_text(encoding="utf-8")

    def _folder(self) -> Path | None:
        new = set(_runs(self.lake)) - self._before
        return self.lake / "runs" / max(new) if new else None

    def report(self) -> dict[str, Any]:
        """The newest report in the lake."""
        newest = max(self.lake.glob("runs/*/report.json"), key=lambda path: path.parent.name)
        found: dict[str, Any] = json.loads(newest.read_text(encoding="utf-8"))
        return found


def _runs(lake: Path) -> list[str]:
    folder = lake / "runs"
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []
