"""What housekeeping did, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tuku import units
from tuku.housekeeping.compaction import Compacted
from tuku.housekeeping.vacuum import Removal

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class Compaction:
    """What `tuku lake compact` did.

    Attributes:
        compacted: None if there was nothing to do.
        seconds: that it took.
    """

    compacted: Compacted | None
    seconds: float

    def __str__(self) -> str:
        done = self.compacted
        if done is None:
            return "nothing to compact: the lake's files are few and full"
        files = f"{units.plural(done.files_before, 'file')} ({units.size(done.bytes_before)})"
        into = f"{units.plural(done.files, 'file')} ({units.size(done.bytes)})"
        runs = units.plural(len(done.replaced), "run")
        return f"{files} of {runs} compacted into {into} in {units.duration(self.seconds)}"

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        done = None if self.compacted is None else asdict(self.compacted)
        return {"compacted": done, "seconds": round(self.seconds, 3)}

    def summary(self) -> RenderableType:
        """For people."""
        return str(self)


@dataclass(frozen=True)
class Vacuum:
    """What `tuku lake vacuum` removed, or would remove.

    Attributes:
        dry_run: nothing was removed.
        seconds: that it took.
    """

    removals: Sequence[Removal]
    dry_run: bool
    seconds: float

    def __str__(self) -> str:
        files = sum(len(removal.files) for removal in self.removals)
        if not files:
            return "nothing to remove: everything in the lake is needed, or is kept for a while yet"
        what = f"{units.plural(files, 'file')} ({units.size(sum(removal.size for removal in self.removals))})"
        if self.dry_run:
            return f"{what} could be removed"
        return f"{what} removed in {units.duration(self.seconds)}"

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        reasons = removable(self.removals)
        return {
            "dry_run": self.dry_run,
            "files": sum(each["files"] for each in reasons.values()),
            "bytes": sum(each["bytes"] for each in reasons.values()),
            "reasons": reasons,
            "seconds": round(self.seconds, 3),
        }

    def summary(self) -> RenderableType:
        """For people."""
        from tuku.housekeeping.summary import VacuumSummary

        return VacuumSummary(self)


def removable(removals: Sequence[Removal]) -> dict[str, dict[str, int]]:
    """How many files, and bytes, could go for each reason."""
    files, sizes = Counter[str](), Counter[str]()
    for removal in removals:
        files[removal.reason] += len(removal.files)
        sizes[removal.reason] += removal.size
    return {reason: {"files": files[reason], "bytes": sizes[reason]} for reason in files}
