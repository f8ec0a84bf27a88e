"""The file of labelled queries that `tuku evaluate --from-feedback` makes of clicks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuku.errors import ConfigError
from tuku.search.feedback import labelled_lines, read_clicks
from tuku.search.query import Query
from tuku.search.query_file import Labelled, read_queries
from tuku.storage import DiskStorage, Storage

_SHOWN = 80  # characters of a filter


@dataclass(frozen=True)
class FeedbackQueries:
    """What was searched for and then clicked on.

    Attributes:
        file: where it is written.
        lines: of the file, one query each.
    """

    file: Path
    lines: Sequence[str]

    @classmethod
    def of(cls, storage: Storage, file: Path) -> FeedbackQueries:
        """All that a lake has.

        Args:
            storage: of the lake.
            file: does not exist yet.

        Raises:
            ConfigError: it does, or it is stdin, or there are no clicks on the results of a text.
        """
        if str(file) == "-":
            raise ConfigError("--from-feedback writes QUERIES, and - is stdin.", "Name a file that does not exist yet.")
        if file.exists():
            raise ConfigError(
                f"{file} exists, and --from-feedback does not overwrite it.",
                "Name another file or remove this one; to ask the queries that it has, leave out --from-feedback.",
            )
        lines = labelled_lines(read_clicks(storage))
        if not lines:
            raise ConfigError(
                f"No clicks on the results of a text are recorded in {storage.uri}.",
                "`tuku serve` records them; a search by a picture alone cannot be asked again.",
            )
        return cls(file, lines)

    def written(self, misfit: Callable[[Query], ConfigError | None]) -> tuple[list[Labelled], list[str]]:
        """Write those that can still be asked; they, and a note if others cannot.

        Args:
            misfit: why a query cannot be asked; None if it can.

        Raises:
            ConfigError: not one of them can.
        """
        faults = [(each.query, misfit(each.query)) for each in self._read(self.lines)]
        notes = _notes(faults)
        kept = [line for line, (_, fault) in zip(self.lines, faults, strict=True) if fault is None]
        if not kept:
            raise ConfigError(notes[0], "`tuku serve` records more; a filter names the columns that the catalogue has.")
        DiskStorage(self.file.parent).write(self.file.name, "".join(f"{line}\n" for line in kept).encode())
        return self._read(kept), notes

    def _read(self, lines: Sequence[str]) -> list[Labelled]:
        return list(read_queries(lines, str(self.file), Query(), labelled=True))


def _notes(faults: Sequence[tuple[Query, ConfigError | None]]) -> list[str]:
    misfits = [query for query, fault in faults if fault is not None]
    if not misfits:
        return []
    first = misfits[0]
    example = f"where {first.where[:_SHOWN]}" if first.where else repr(first.text)
    left_out = f"{len(misfits):,} of {len(faults):,} queries from feedback were left out"
    return [f"{left_out}: they do not fit the collection (any more), such as {example}"]
