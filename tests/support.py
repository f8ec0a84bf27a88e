"""The real command line, run in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Ran:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Tuku:
    """Runs `tuku` in a folder of its own, where lake and Milvus file are kept too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lake = folder / "lake"
        self.settings = [
            "--set", f"lake.uri={self.lake}",
            "--set", f"milvus.uri={folder / 'milvus.db'}",
            "--set", "runtime.workers=2",
            "--set", "runtime.worker_cpus=0.5",
        ]  # fmt: skip

    def command(self, *arguments: str) -> list[str]:
        name, *options = map(str, arguments)
        return [sys.executable, "-m", "tuku", name, *self.settings, *options]

    def __call__(self, *arguments: object, env: Mapping[str, str] | None = None, timeout_s: float = 110) -> Ran:
        done = subprocess.run(
            self.command(*map(str, arguments)),
            cwd=self.folder,
            env=environment(env),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what would change a run."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TUKU__", "RAY_"))}
    return {**kept, **(extra or {})}
