"""Which runs a collection holds, noted in its properties."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

RUNS = "tuku.runs"

# Properties live in etcd, where a value should stay well below 1 MB: 500 run ids are about 15 kB.
MAX_LISTED = 500


@dataclass(frozen=True)
class LoadedRuns:
    """The runs whose rows a collection holds.

    Attributes:
        through: every run whose id sorts up to this one (run ids sort by time).
        ids: and these. A run that was begun early and committed late is missing here, and so is loaded.
    """

    through: str = ""
    ids: frozenset[str] = frozenset()

    @classmethod
    def read(cls, properties: dict[str, str]) -> LoadedRuns | None:
        """From a collection's properties; None where no load has been finished, or nobody can read the note."""
        try:
            noted = json.loads(properties[RUNS])
            through, ids = noted["through"], noted["ids"]
        except (KeyError, ValueError, TypeError, RecursionError):
            return None
        readable = isinstance(ids, list) and all(isinstance(text, str) for text in [through, *ids])
        return cls(through, frozenset(ids)) if readable else None

    def __contains__(self, run_id: object) -> bool:
        return run_id in self.ids or (isinstance(run_id, str) and run_id <= self.through)

    def adding(self, run_ids: Iterable[str]) -> LoadedRuns:
        """With more runs; of a long list the oldest become one bound."""
        ids = sorted({run_id for run_id in {*self.ids, *run_ids} if run_id > self.through})
        if len(ids) <= MAX_LISTED:
            return LoadedRuns(self.through, frozenset(ids))
        return LoadedRuns(ids[-MAX_LISTED - 1], frozenset(ids[-MAX_LISTED:]))

    def note(self) -> dict[str, str]:
        """As a collection property."""
        return {RUNS: json.dumps({"through": self.through, "ids": sorted(self.ids)})}
