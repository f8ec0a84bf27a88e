"""What `tuku doctor` finds: one value for each check, and all of them together."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from tuku.errors import TukuError

if TYPE_CHECKING:
    from rich.console import RenderableType

Status = Literal["ok", "warning", "failed", "skipped"]

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        name: of the check.
        status: how it went; ``warning``: it works, but hardly as it is meant to.
        detail: what was found, or why it was not looked; it may have several lines.
        remedy: what to do about what is wrong or doubtful.
    """

    name: str
    status: Status
    detail: str
    remedy: str = ""


@dataclass(frozen=True)
class Skipped:
    """What a check returns that has nothing to look at."""

    reason: str


@dataclass(frozen=True)
class Doubtful:
    """What a check returns of something that works, but hardly as it is meant to."""

    detail: str
    remedy: str


@dataclass(frozen=True)
class Diagnosis:
    """What all checks found, in order."""

    checks: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return all(finding.status != "failed" for finding in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """The object that `doctor --json` prints."""
        return {"ok": self.ok, "checks": [asdict(finding) for finding in self.checks]}

    def summary(self) -> RenderableType:
        """For a terminal (rich)."""
        from rich.text import Text

        from tuku.tables import table
        from tuku.terminal import printable

        shown = table("", "", "")
        shown.show_header = False
        for finding in self.checks:
            lines = finding.detail.split("\n") + [finding.remedy] * bool(finding.remedy)
            colour = _COLOURS[finding.status]
            word = "FAILED" if finding.status == "failed" else finding.status
            text = Text("\n".join(printable(line) for line in lines), overflow="fold")
            shown.add_row(Text(word, style=colour), Text(finding.name), text)
        return shown


def find(name: str, check: Callable[[], str | Doubtful | Skipped]) -> Finding:
    """Make one check; whatever it raises is what it found.

    Args:
        name: of the check.
        check: returns what is well, in a few words.
    """
    try:
        found = check()
    except TukuError as error:
        return Finding(name, "failed", error.message, error.remedy)
    except Exception as error:  # noqa: BLE001  whatever breaks is what was found
        if os.environ.get("TUKU_DEBUG"):
            traceback.print_exc()
        first = (str(error).strip().splitlines() or [""])[0][:300]
        return Finding(name, "failed", f"Unexpected {type(error).__name__}: {first}", "TUKU_DEBUG=1 shows where.")
    if isinstance(found, Skipped):
        return Finding(name, "skipped", found.reason)
    if isinstance(found, Doubtful):
        return Finding(name, "warning", found.detail, found.remedy)
    return Finding(name, "ok", found)
