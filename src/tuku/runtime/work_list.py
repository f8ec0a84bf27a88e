"""A plan, written into the run's folder: the work list, the rows that planning has done already, the deletions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tuku import units
from tuku.config import Config
from tuku.errors import ConfigError, TukuError
from tuku.lake import Run
from tuku.pipeline import Models
from tuku.runtime.planning import Planned
from tuku.schemas import DEAD_LETTERS, IMAGES, WORK
from tuku.stages.manifest_rows import STAGE as MANIFEST_STAGE
from tuku.stages.plan import Counts
from tuku.stages.write import conform
from tuku.storage import Storage

_BLOCKS_PER_FILE = 64
_CONTENTS = "plan/contents.u64"


@dataclass(frozen=True)
class Plan:
    """How many manifest rows there are of each class, and what is to be done about them.

    Attributes:
        manifest: rows in all.
        unchanged: as far as is known: `rechecks` of them are asked about.
        deleted: images that the manifest lacks and that are taken out.
        work: rows on the work list.
        rechecks: how many of them have changed only if their file has.
        rewritten: rows that changed and need no picture and no model.
        reasons: why rows need work, and how many.
    """

    manifest: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    duplicates: int = 0
    deleted: int = 0
    work: int = 0
    rechecks: int = 0
    rewritten: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, counts: Counts, *, deleted: int, rewritten: int) -> Plan:
        """From the planner's counts and what was done about them."""
        classes = {name: counts.classes[name] for name in ("new", "changed", "unchanged", "duplicates")}
        return cls(
            manifest=counts.manifest,
            **classes,
            deleted=deleted,
            work=counts.work,
            rechecks=counts.reasons["recheck"],
            rewritten=rewritten,
            reasons=dict(counts.reasons),
        )

    def to_dict(self) -> dict[str, object]:
        """As in plan.json."""
        return asdict(self)


@contextmanager
def scratch_of(run: Run) -> Iterator[Storage]:
    """A folder in the run's, which every node sees, for what is set aside while it is planned."""
    folder = f"{run.folder}/plan/scratch"
    try:
        yield run.storage.below(folder)
    finally:
        with suppress(TukuError):  # the vacuum finds what could not be removed
            run.storage.remove_all(folder)
            run.storage.remove_empty(run.folder)


@dataclass(frozen=True)
class WorkList:
    """Writes a run's work list, in blocks that fit the models and the workers.

    Args:
        run: where it goes.
        config: the configuration.
        models: as configured.
        workers: how many processes will work on it.
    """

    run: Run
    config: Config
    models: Models
    workers: int

    def write(self, tables: Iterator[pa.Table], round_: int = 1) -> int:
        """Write the list of one round (tables of schema `WORK`); how many rows it has."""
        block_rows = self.models.block_rows(self.config, self.workers)
        file_rows, last_rows = block_rows * _BLOCKS_PER_FILE, block_rows * self.workers
        waiting, total, files = WORK.empty_table(), 0, 0
        for table in tables:
            waiting = pa.concat_tables([waiting, table])
            while waiting.num_rows >= file_rows + last_rows:
                self.run.write_work(files, waiting.slice(0, file_rows), block_rows, round_)
                waiting, total, files = waiting.slice(file_rows), total + file_rows, files + 1
        last_rows = min(waiting.num_rows, last_rows)
        first, last = waiting.slice(0, waiting.num_rows - last_rows), waiting.slice(waiting.num_rows - last_rows)
        if first.num_rows:
            self.run.write_work(files, first, block_rows, round_)
        if last.num_rows:
            # Smaller blocks at the end, so that no worker is left with much when the others have nothing.
            fair_rows = max(math.ceil(last.num_rows / (4 * self.workers)), self.models.slice_rows(self.config))
            self.run.write_work(files + (first.num_rows > 0), last, min(block_rows, fair_rows), round_)
        return total + int(waiting.num_rows)


def write_done(planned: Planned, run: Run) -> int:
    """Write the rows that planning itself has done into the run; how many."""
    rows = 0
    for number, table in enumerate(planned.rewrites()):
        run.write_block(f"plan-{number:06d}", conform(table, IMAGES, run.run_id), DEAD_LETTERS.empty_table())
        rows += table.num_rows
    return rows


@dataclass(frozen=True)
class Missing:
    """Images of the lake that the manifest of a snapshot lacks.

    Attributes:
        rows: how many.
        stay: nothing is deleted: the manifest has rows that cannot be read, and one of them may be the missing one.
    """

    rows: int = 0
    stay: bool = False

    @classmethod
    def of(cls, planned: Planned, config: Config) -> Missing:
        """None of them, unless `manifest.mode` is snapshot.

        Raises:
            ConfigError: they are more than `limits.max_deleted_fraction` of the catalogue.
        """
        if config.manifest.mode != "snapshot":
            return cls()
        rows: int = sum(table.num_rows for table in planned.missing())
        most, images = config.limits.max_deleted_fraction, planned.counts.images
        if rows > most * images:
            raise ConfigError(
                f"The manifest lacks {rows:,} of the lake's {images:,} images, more than limits.max_deleted_fraction"
                f" ({most:g}) allows. Nothing was deleted, nothing was done.",
                "Check that the manifest is whole. If so many are to go, raise limits.max_deleted_fraction for this"
                " run.",
            )
        return cls(rows, stay=rows > 0 and _has_unreadable_rows(planned))

    @property
    def deleted(self) -> int:
        """How many of them are taken out of the catalogue."""
        return 0 if self.stay else self.rows

    def warnings(self) -> Iterator[str]:
        """What people should know."""
        if self.stay:
            yield (
                f"The manifest lacks {units.plural(self.rows, 'image')} of the lake. Nothing was deleted: rows of it"
                " cannot be read, and one of those may be the missing one. Mend the rows (`tuku errors --rows`): the"
                " next run deletes what is missing then."
            )


def write_deletions(planned: Planned, config: Config, run: Run) -> Missing:
    """Take out of the catalogue what a snapshot lacks; see `Missing`."""
    missing = Missing.of(planned, config)
    if missing.deleted:
        for number, table in enumerate(planned.missing()):
            run.write_deleted(f"{number:06d}", table.column("image_id"))
    return missing


def write_contents(keys: np.ndarray, run: Run) -> None:
    """Keep what the lake has answers for (see `twins.Contents`) where every worker can read it."""
    run.storage.write(f"{run.folder}/{_CONTENTS}", keys.astype("<u8").tobytes())


def read_contents(run: Run) -> np.ndarray:
    """As `write_contents` left it: uint64, sorted."""
    return np.frombuffer(run.storage.read(f"{run.folder}/{_CONTENTS}"), "<u8")


def _has_unreadable_rows(planned: Planned) -> bool:
    return any(
        pc.any(pc.and_not(pc.equal(table.column("stage"), MANIFEST_STAGE), _known_not_to_be(table))).as_py()
        for table in planned.work()
    )


def _known_not_to_be(rows: pa.Table) -> pa.ChunkedArray:
    """Whether a row cannot be one that is missing: its id was read, or is one that no image of the lake can have."""
    return pc.is_in(rows.column("code"), value_set=pa.array(["wrong_type", "invalid_id", "id_too_long"]))
