"""The marker that commits a run (``_COMMITTED``): which of its files count, and how many rows each has.

{"committed_at": "2026-11-21T02:15:00+00:00",
 "sealed": false,
 "files": {"parts": {"parts/part-3f9a.parquet": 256}, "errors": {}, "deleted": {}, "paid": {}}}

That of a compaction says also ``"replaces": [run ids]``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Literal, get_args

Kind = Literal["parts", "errors", "deleted", "paid"]
"""What a run's files hold; the name of their folder."""

KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Marker:
    """What a run consists of, from when it was committed.

    Attributes:
        files: names relative to the run's folder, and their rows, by kind. Whatever else is there does not count.
        sealed: the run was interrupted, and a later one committed what it left.
        committed_at: UTC, ISO 8601.
        replaces: the runs whose images stand in this run's files, and in theirs no more; those that they replaced too.
    """

    files: Mapping[Kind, Mapping[str, int]]
    sealed: bool = False
    committed_at: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat())
    replaces: frozenset[str] = frozenset()

    def names(self, kind: Kind) -> list[str]:
        """The files of one kind, sorted."""
        return sorted(self.files[kind])

    def rows(self, kind: Kind) -> int:
        """How many rows the files of one kind have together."""
        return sum(self.files[kind].values())

    def without(self, names: Collection[str]) -> Marker:
        """The same marker with fewer files."""
        files: dict[Kind, dict[str, int]] = {
            kind: {name: rows for name, rows in listed.items() if name not in names}
            for kind, listed in self.files.items()
        }
        return replace(self, files=files)

    def to_json(self) -> bytes:
        """As it stands in the lake."""
        values: dict[str, Any] = {"committed_at": self.committed_at, "sealed": self.sealed, "files": self.files}
        if self.replaces:
            values["replaces"] = sorted(self.replaces)
        return (json.dumps(values, ensure_ascii=False, indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, content: bytes) -> Marker:
        """Read back what `to_json` wrote.

        Raises:
            ValueError: that did not write this.
        """
        try:
            values = json.loads(content)
            files: dict[Kind, dict[str, int]] = {
                kind: {str(name): int(rows) for name, rows in values["files"].get(kind, {}).items()} for kind in KINDS
            }
            replaces = frozenset(str(run_id) for run_id in values.get("replaces", ()))
            return cls(files, bool(values["sealed"]), str(values["committed_at"]), replaces)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no marker: {error!r}") from error
