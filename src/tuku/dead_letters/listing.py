"""What `tuku errors` says: dead letters by stage and code, with examples, or one by one; for people and programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tuku.dead_letters.standing import DeadLetters, Selection
from tuku.uris import bare

if TYPE_CHECKING:
    from rich.console import RenderableType

_EXAMPLE = ("image_id", "uri", "message", "run_id", "failed_at")
_COLUMNS = (*_EXAMPLE, "stage", "code", "retryable")
_LINE = ("stage", "code", "retryable", "attempts", "failed_at", "image_id", "uri", "message")
_OBJECTS = ("metadata", "manifest_row")
_NEVER = datetime.min.replace(tzinfo=timezone.utc)


@dataclass
class Kind:
    """The dead letters of one code at one stage.

    Attributes:
        rows: how many there are.
        retryable: how many of them may succeed when they are run again as they are.
        newest: when the last of them failed (UTC).
        examples: the newest ones: image_id, uri, message, run_id, failed_at.
    """

    stage: str
    code: str
    rows: int = 0
    retryable: int = 0
    newest: datetime = _NEVER
    examples: list[dict[str, Any]] = field(default_factory=list)

    def add(self, letters: pa.Table, examples: int) -> None:
        """Count more letters of this kind, and keep some of them unless there are `examples` already."""
        self.rows += letters.num_rows
        self.retryable += letters.column("retryable").to_pylist().count(True)
        self.newest = max(self.newest, *letters.column("failed_at").drop_null().to_pylist(), _NEVER)
        missing = examples - len(self.examples)
        self.examples += letters.select(list(_EXAMPLE)).slice(0, max(0, missing)).to_pylist()


@dataclass(frozen=True)
class DeadLetterList:
    """The dead letters that stand.

    Attributes:
        lake: where it is.
        runs: how many committed runs it has.
        selection: which letters were asked for.
        kinds: the most frequent first.
    """

    lake: str
    runs: int
    selection: Selection
    kinds: tuple[Kind, ...]

    @classmethod
    def of(cls, letters: DeadLetters, lake: str, selection: Selection, examples: int) -> DeadLetterList:
        """Count the letters.

        Args:
            letters: of the lake.
            lake: its path.
            selection: which letters.
            examples: how many of each kind are kept, at most.
        """
        found: dict[tuple[str, str], Kind] = {}
        for batch in letters.batches(_COLUMNS, selection):
            for group in batch.group_by(["stage", "code"]).aggregate([]).to_pylist():
                kind = found.setdefault((group["stage"], group["code"]), Kind(group["stage"], group["code"]))
                kind.add(Selection(kind.code, kind.stage).of(batch), examples)
        kinds = sorted(found.values(), key=lambda kind: (-kind.rows, kind.stage, kind.code))
        return cls(lake, len(letters.runs), selection, tuple(kinds))

    @property
    def rows(self) -> int:
        """How many rows failed."""
        return sum(kind.rows for kind in self.kinds)

    @property
    def retryable(self) -> int:
        """How many of them may succeed when they are run again as they are."""
        return sum(kind.retryable for kind in self.kinds)

    def to_dict(self) -> dict[str, Any]:
        """The object that `errors --json` prints."""
        return {
            "rows": self.rows,
            "retryable": self.retryable,
            "runs": self.runs,
            "errors": [_plain(asdict(kind)) for kind in self.kinds],
        }

    def summary(self) -> RenderableType:
        """The list for a terminal (rich)."""
        from tuku.dead_letters.summary import Summary

        return Summary(self)


def json_pieces(listed: DeadLetterList, letters: DeadLetters) -> Iterator[str]:
    """The object that `errors --rows --json` prints, piece by piece: that of the list, with each letter in ``letters``.

    A letter stands on a line of its own, so that also a reader which goes line by line can take it.
    """
    yield json.dumps({**listed.to_dict(), "letters": []}, ensure_ascii=False)[: -len("]}")]
    separator = "\n"
    for batch in letters.batches(selection=listed.selection):
        for letter in batch.to_pylist():
            parsed = {name: None if letter[name] is None else json.loads(letter[name]) for name in _OBJECTS}
            yield separator + json.dumps(_plain({**letter, **parsed}), ensure_ascii=False)
            separator = ",\n"
    yield "\n]}\n"


def text_lines(letters: DeadLetters, selection: Selection) -> Iterator[str]:
    """The letters as a table for people, grep and cut: a header, then a line each, columns separated by tabs."""
    from tuku.terminal import printable

    yield "\t".join(_LINE) + "\n"
    for batch in letters.batches(_LINE, selection):
        for letter in batch.to_pylist():
            shown = {**_plain(letter), "uri": bare(letter["uri"] or "")}
            yield "\t".join(printable(str(value)) for value in shown.values()) + "\n"


def _plain(value: Any) -> Any:
    """The value as JSON has it: times become ISO 8601 texts."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value
