"""What a lake holds: `tuku lake`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tuku.config import LakeConfig
from tuku.housekeeping.results import removable
from tuku.housekeeping.retention import Retention, replaced_at
from tuku.housekeeping.selection import small_files
from tuku.housekeeping.vacuum import find_removals
from tuku.lake import Lake, Run
from tuku.lake_view import LakeView
from tuku.marker import KINDS

if TYPE_CHECKING:
    from rich.console import RenderableType

STATES = ("committed", "sealed", "compaction", "replaced", "rejected", "open")
"""In which a run can be: docs/lake.md."""
_OTHER = "other"
_DEPTH = 3  # of runs/<run_id>/<kind>/…


@dataclass(frozen=True)
class Overview:
    """What a lake holds.

    Attributes:
        lake: where it is.
        images: current ones.
        stored_rows: rows of images that are looked at, those that newer ones have superseded included.
        newest: id of the newest run that readers see.
        runs: how many there are in each of `STATES`.
        kinds: ``files`` and ``bytes`` by folder of the runs: ``parts``, ``errors`` …, and ``other``.
        small_files: of images that are looked at, smaller than half of what they should be.
        removable: ``files`` and ``bytes`` that `tuku lake vacuum` would remove, by reason.
    """

    lake: str
    images: int
    stored_rows: int
    newest: str | None
    runs: Mapping[str, int]
    kinds: Mapping[str, Mapping[str, int]]
    small_files: int
    removable: Mapping[str, Mapping[str, int]]

    @classmethod
    def of(cls, lake: Lake, config: LakeConfig) -> Overview:
        """Look at the whole lake; nothing is written.

        Raises:
            StorageError: a file is damaged; it names the file.
        """
        runs, view = lake.runs(), LakeView.everything(lake)
        replaced = replaced_at(runs)
        states = Counter(_state(run, run.run_id in replaced) for run in runs)
        return cls(
            lake=lake.storage.uri,
            images=view.rows(),
            stored_rows=view.stored_rows(),
            newest=view.runs[-1].run_id if view.runs else None,
            runs={state: states[state] for state in STATES},
            kinds=_kinds(lake),
            small_files=small_files(view, config.part_bytes),
            removable=removable(find_removals(lake, Retention.of(config))),
        )

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)

    def summary(self) -> RenderableType:
        """For people."""
        from tuku.housekeeping.summary import OverviewSummary

        return OverviewSummary(self)


def _state(run: Run, replaced: bool) -> str:
    marker = run.marker
    if marker is None:
        return "rejected" if run.rejected else "open"
    if replaced:
        return "replaced"
    return "compaction" if marker.replaces else "sealed" if marker.sealed else "committed"


def _kinds(lake: Lake) -> dict[str, dict[str, int]]:
    files, sizes = Counter[str](), Counter[str]()
    for file in lake.storage.walk():
        parts = file.name.split("/")
        kind = parts[2] if len(parts) > _DEPTH and parts[2] in {"plan", *KINDS} else _OTHER
        files[kind] += 1
        sizes[kind] += file.size
    return {kind: {"files": files[kind], "bytes": sizes[kind]} for kind in (*KINDS, "plan", _OTHER)}
