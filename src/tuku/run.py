"""One run in the lake: a folder of Parquet files, and the marker that says which of them count."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from tuku.errors import LeaseLostError, StorageError
from tuku.marker import KINDS, Kind, Marker
from tuku.run_folder import RunFolder
from tuku.schemas import DEAD_LETTERS, DELETED, IMAGES, PAID

_MARKER = "_COMMITTED"
_REJECTED = "_REJECTED"
_COMPACTION = "_COMPACTION"
_NOTHING = PAID.empty_table()


@dataclass(frozen=True)
class Run(RunFolder):
    """One run's folder in the lake.

    Of a committed run the files on its marker's list count, present or not; of another one those in its folder.
    """

    # A committed run does not change: its marker is read once.
    _known: Marker | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def marker(self) -> Marker | None:
        """What the run consists of; None until it is committed.

        Raises:
            StorageError: the marker is not what tuku writes.
        """
        if self._known is None and (content := self.storage.find(self._marker_name)) is not None:
            self._know(self._read_marker(content))
        return self._known

    @property
    def committed(self) -> bool:
        """Whether readers see this run."""
        return self.marker is not None

    def commit(self, replaces: Collection[str] = ()) -> None:
        """Make the run visible, with the files that are in its folder now.

        Args:
            replaces: ids of runs that are no longer looked at from then on (see `Marker`).

        Raises:
            LeaseLostError: another run has taken this one for dead and sealed it. What was on disk then is kept.
        """
        marker = Marker(self._on_disk(), replaces=frozenset(replaces))
        if not self._create_marker(marker) and self.marker is not None and self.marker.sealed:
            raise self._taken_over()

    def seal(self) -> None:
        """Commit an interrupted run with what it has finished; from here on it cannot do so itself.

        What it was about to delete stays: only a run that has seen its whole manifest may judge what is missing. And
        of a compaction nothing counts: what it would have replaced is there.
        """
        self._create_marker(self._seal_marker())

    def as_sealed(self) -> Run:
        """The interrupted run as it will be when it has been sealed; nothing is written."""
        run = Run(self.storage, self.run_id)
        run._know(self._seal_marker())
        return run

    def begin_compaction(self) -> None:
        """Say what this run is for, before it has any files."""
        self.write_text(_COMPACTION, "")

    def discard(self) -> None:
        """Remove all there is of a run that is not committed. What remains if that fails is on no list."""
        if not self.committed:
            marked = f"{self.folder}/{_COMPACTION}"  # goes last: without it the rest would be sealed as images
            for stored in sorted(self.storage.walk(self.folder), key=lambda stored: stored.name == marked):
                self.storage.remove(stored.name)
            self.storage.remove_empty(self.folder)

    @property
    def compacting(self) -> bool:
        """Whether the run was begun as a compaction; see `replaces` for whether it has become one."""
        return self.storage.exists(f"{self.folder}/{_COMPACTION}")

    @property
    def replaces(self) -> frozenset[str]:
        """The runs whose images stand in this one (see `Marker`); none, unless it is a compaction."""
        marker = self.marker
        return frozenset() if marker is None else marker.replaces

    def drop(self, names: Collection[str]) -> None:
        """Take files (names relative to the lake) off a committed run's list. They can be removed then.

        Raises:
            LeaseLostError: somebody else has changed the list in this very moment.
        """
        content, own = self.storage.find(self._marker_name), len(self.folder) + 1
        if content is None:
            return
        marker = self._read_marker(content)
        smaller = marker.without({name[own:] for name in names})
        if smaller != marker:
            if not self.storage.swap(self._marker_name, smaller.to_json(), expected=content):
                raise LeaseLostError(f"Somebody else removes files of run {self.run_id} too.", "Run it again later.")
            self._know(smaller)

    def reject(self, reason: str) -> None:
        """Mark the run as wrong: no later run builds on its parts."""
        self.write_json(_REJECTED, {"reason": reason})

    @property
    def rejected(self) -> bool:
        """Whether the run's parts must not be used."""
        return self.storage.exists(f"{self.folder}/{_REJECTED}")

    @property
    def rejected_s(self) -> float | None:
        """When the run was rejected, seconds since 1970; None if it was not."""
        mark = f"{self.folder}/{_REJECTED}"
        return next((file.modified_s for file in self.storage.walk(self.folder, depth=1) if file.name == mark), None)

    def listed(self) -> list[str]:
        """Names of all files on a committed run's list."""
        return [name for kind in KINDS if self.committed for name in self._files(kind)]

    def parts(self) -> list[str]:
        """Names of the files of images (schema `IMAGES`)."""
        return self._files("parts")

    def errors(self) -> list[str]:
        """Names of the files of dead letters (schema `DEAD_LETTERS`)."""
        return self._files("errors")

    def deleted(self) -> list[str]:
        """Names of the files of ids that this run took out of the catalogue (schema `DELETED`)."""
        return self._files("deleted")

    def paid(self) -> list[str]:
        """Names of the files of answers that were paid for by rows that did not succeed (schema `PAID`)."""
        return self._files("paid")

    def rows(self, kind: Kind = "parts") -> int:
        """How many rows the files of one kind have together; see `file_rows`."""
        return sum(self.file_rows(kind).values())

    def file_rows(self, kind: Kind) -> dict[str, int]:
        """How many rows each file of one kind has, by name; of a committed run none of them is opened.

        Of another one each is opened once: it is asked when nobody works on the run any more.

        Raises:
            StorageError: a file of a run that is not committed is damaged; it names the file.
        """
        marker = self.marker
        if marker is None:
            return self._count(kind)
        return {f"{self.folder}/{name}": marker.files[kind][name] for name in marker.names(kind)}

    def write_block(self, name: str, images: pa.Table, dead_letters: pa.Table, paid: pa.Table = _NOTHING) -> None:
        """Make a block's rows durable, in the place of whatever the same block left before.

        A block that is worked again (its worker was lost) may end otherwise, so its files bear the block's name
        and not that of the rows in them: no row ends in two files.

        Args:
            name: the same for the same block, different for any other of the run.
            images: the rows that succeeded, schema `IMAGES`.
            dead_letters: those that failed, schema `DEAD_LETTERS`.
            paid: what rows that did not succeed had gained, schema `PAID`.

        Raises:
            StoppedError: the disk is full.
            StorageError: the lake cannot be written to.
            LeaseLostError: the run has been committed meanwhile: what is on its list must stay as it is.
        """
        self._require_open()
        self._write_rows("paid", name, paid.cast(PAID))
        self._write_rows("parts", name, images.cast(IMAGES))
        self._write_rows("errors", name, dead_letters.cast(DEAD_LETTERS))

    def write_deleted(self, name: str, ids: Sequence[str] | pa.Array | pa.ChunkedArray) -> None:
        """Say which images are no longer in the catalogue, in the place of whatever bore this name before.

        Raises:
            LeaseLostError: as `write_block`.
        """
        self._require_open()
        self._write_rows("deleted", name, pa.table({"image_id": ids}).cast(DELETED))

    @property
    def _marker_name(self) -> str:
        return f"{self.folder}/{_MARKER}"

    def _require_open(self) -> None:
        if self.committed:
            raise self._taken_over()

    def _taken_over(self) -> LeaseLostError:
        return LeaseLostError(
            f"Another run has taken over run {self.run_id}, which stood still for too long, and committed what it had"
            " finished. Nothing was lost.",
            "Run the same command again: it goes on from there.",
        )

    def _know(self, marker: Marker) -> None:
        object.__setattr__(self, "_known", marker)

    def _seal_marker(self) -> Marker:
        left: dict[Kind, dict[str, int]] = {kind: {} for kind in KINDS}
        if not self.compacting:
            left |= {**self._on_disk(), "deleted": {}}
        return Marker(left, sealed=True)

    def _create_marker(self, marker: Marker) -> bool:
        created = self.storage.create(self._marker_name, marker.to_json())
        if created:
            self._know(marker)
        return created

    def _read_marker(self, content: bytes) -> Marker:
        try:
            return Marker.from_json(content)
        except ValueError as error:
            remedy = "Put it back from a backup, or delete it: the next run writes it anew from what is in the folder."
            if self.compacting:
                remedy = "Put it back from a backup. Do not delete it: what this compaction replaced may be gone."
            elif self._listed("deleted"):
                remedy += " Images that this run took out come back then."
            where = self.storage.where(self._marker_name)
            raise StorageError(f"{where} is not the list of files that tuku writes.", remedy) from error

    def _files(self, kind: Kind) -> list[str]:
        marker = self.marker
        return self._listed(kind) if marker is None else [f"{self.folder}/{name}" for name in marker.names(kind)]

    def _on_disk(self) -> dict[Kind, dict[str, int]]:
        own = len(self.folder) + 1
        return {kind: {name[own:]: rows for name, rows in self._count(kind).items()} for kind in KINDS}

    def _write_rows(self, kind: Kind, name: str, rows: pa.Table) -> None:
        self._write_file(f"{self.folder}/{kind}/part-{name}.parquet", rows)


def unreplaced(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Those of some runs that no compaction among them stands for, in their order."""
    every = tuple(runs)
    replaced = frozenset[str]().union(*(run.replaces for run in every))
    return tuple(run for run in every if run.run_id not in replaced)
