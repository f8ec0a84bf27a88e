"""After a round: rows that were set aside take over what became of the row with the same content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tuku.lake import Run, read_rows
from tuku.lake_view import LakeView
from tuku.pipeline import Models
from tuku.schemas import DEAD_LETTERS, IMAGES, OUTCOME, PAID, TWINS, WORK
from tuku.stages.write import conform

_OWN = ("image_id", "uri", "metadata", "source_fingerprint")
"""What a row keeps of itself when it takes over all the rest."""


@dataclass
class Settled:
    """What became of a round's twins.

    Attributes:
        ok: rows that took over an image.
        errors: rows that took over a failure, by code.
        failed: likewise, by stage.
        work: rows for the next round, schema `WORK`.
    """

    ok: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    work: pa.Table = field(default_factory=WORK.empty_table)


@dataclass(frozen=True)
class TwinSettler:
    """Settles the twins of one run.

    Memory: a round's twins, about 1 kB each, and for as long as they are written some thousand images.

    Args:
        run: the run; its own images count too.
        view: what the lake held when the run was planned.
        models: as configured.
    """

    run: Run
    view: LakeView
    models: Models

    def settle(self, round_: int) -> Settled | None:
        """Write what can be taken over and say what is left to be worked; None if nothing was set aside.

        Args:
            round_: that has just been worked.
        """
        names = self.run.twins(round_)
        if not names:
            return None
        twins = pa.concat_tables(table for name in names for table in read_rows(self.run.storage, name, TWINS.names))
        settled = Settled()
        view = LakeView(self.view.lake, (*self.view.runs, self.run))
        whole, partial = self._places(view, twins.column("content_sha256").unique())
        left = self._copied(view, twins, whole, f"twins-{round_}", settled)
        left = self._failed(left, f"twins-{round_}", settled)
        settled.work = self._work(view, left, partial)
        return settled

    def _places(self, view: LakeView, contents: pa.Array) -> tuple[dict[str, int], dict[str, int]]:
        """By content, where the lake has all that a row needs, and where it has some of it."""
        whole: dict[str, int] = {}
        partial: dict[str, int] = {}
        models = self.models
        for file in view.files:
            if file.deleted:
                continue
            for place, table in file.tables(["content_sha256", "caption_fingerprint", "embedding_fingerprint"]):
                there = pc.is_in(table.column("content_sha256"), value_set=contents)
                rows = pc.indices_nonzero(there).to_numpy()
                for row, known in zip(rows, table.take(pa.array(rows)).to_pylist(), strict=True):
                    caption = known["caption_fingerprint"] == models.caption_fingerprint
                    vectors = known["embedding_fingerprint"] == models.embedding_fingerprint
                    if caption and vectors:
                        whole[known["content_sha256"]] = place + int(row)
                    elif caption or (vectors and known["content_sha256"] not in partial):
                        partial[known["content_sha256"]] = place + int(row)  # a caption costs more than vectors
        return whole, partial

    def _copied(
        self, view: LakeView, twins: pa.Table, places: Mapping[str, int], name: str, settled: Settled
    ) -> pa.Table:
        """Write the twins of images that the lake has; the others."""
        contents = twins.column("content_sha256").to_pylist()
        there = np.array([content in places for content in contents], bool)
        found = twins.filter(pa.array(there))
        wanted = np.array([places[content] for content in found.column("content_sha256").to_pylist()], np.int64)
        order = np.argsort(wanted, kind="stable")
        found, wanted = found.take(pa.array(order)), wanted[order]
        for number, (kept, images) in enumerate(_joined(view, wanted, found, IMAGES.names)):
            taken = {column: kept.column(column) for column in _OWN}
            columns = [taken.get(field.name, images.column(field.name)) for field in IMAGES]
            copies = conform(pa.table(columns, schema=IMAGES), IMAGES, self.run.run_id)
            self.run.write_block(f"{name}-{number:06d}", copies, DEAD_LETTERS.empty_table())
            settled.ok += copies.num_rows
        return twins.filter(pa.array(~there))

    def _failed(self, twins: pa.Table, name: str, settled: Settled) -> pa.Table:
        """Write the twins of rows that failed in this run, for what failed one would fail the other; the rest."""
        if not twins.num_rows:
            return twins
        contents = twins.column("content_sha256")
        outcomes: dict[str, dict[str, Any]] = {}
        outcome = ["content_sha256", *(field.name for field in OUTCOME)]
        for file in self.run.errors():
            for letters in read_rows(self.run.storage, file, outcome):
                same = letters.filter(pc.is_in(letters.column("content_sha256"), value_set=contents.unique()))
                outcomes.update((row["content_sha256"], row) for row in same.to_pylist())
        rows = twins.to_pylist()
        letters = [{**row, **outcomes[row["content_sha256"]]} for row in rows if row["content_sha256"] in outcomes]
        settled.errors.update(row["code"] for row in letters)
        settled.failed.update(row["stage"] for row in letters)
        table = conform(pa.Table.from_pylist(letters, _LETTERS), DEAD_LETTERS, self.run.run_id)
        self.run.write_block(name, IMAGES.empty_table(), table)
        return twins.filter(pa.array([row["content_sha256"] not in outcomes for row in rows], pa.bool_()))

    def _work(self, view: LakeView, twins: pa.Table, places: Mapping[str, int]) -> pa.Table:
        """The rows as the next round's work, with what the lake has for them."""
        contents = sorted({places[c] for c in twins.column("content_sha256").to_pylist() if c in places})
        known: dict[str, dict[str, Any]] = {}
        for _, table in view.at(np.array(contents, np.int64), PAID.names):
            known.update((row["content_sha256"], row) for row in table.to_pylist())
        fresh = {**{field.name: None for field in OUTCOME}, "recheck": False, "revise": False}
        rows = [{**row, **fresh, "known": known.get(row["content_sha256"])} for row in twins.to_pylist()]
        return pa.Table.from_pylist(rows, WORK)


_LETTERS = pa.schema([field for field in DEAD_LETTERS if field.name not in {"failed_at", "run_id"}])


def _joined(
    view: LakeView, places: np.ndarray, rows: pa.Table, columns: Sequence[str]
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Rows with the lake's rows that stand at their places (sorted, with repetitions)."""
    start = 0
    for found, images in view.at(places, columns):
        yield rows.slice(start, len(found)), images
        start += len(found)
