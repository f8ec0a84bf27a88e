"""A run's folder in the lake: the files in it, whether or not they count."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tuku.marker import Kind
from tuku.part_files import footer_rows
from tuku.schemas import TWINS
from tuku.storage import Storage


@dataclass(frozen=True)
class RunFolder:
    """What lies in a run's folder, and what is written there; `tuku.run.Run` knows what of it counts."""

    storage: Storage
    run_id: str
    # The rows of each file that has been looked at: those of an open run are counted, and then it is committed.
    _counted: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def folder(self) -> str:
        """The run's folder, relative to the lake."""
        return f"runs/{self.run_id}"

    @property
    def begun(self) -> bool:
        """Whether anything of this run has been written."""
        return self.storage.exists(self.folder)

    def work(self, round_: int = 1) -> list[str]:
        """Names of the files of a round's work list (schema `WORK`)."""
        return self.storage.files(f"{self.folder}/plan/{round_}/work", ".parquet")

    def twins(self, round_: int = 1) -> list[str]:
        """Names of the files of rows that a round has set aside (schema `TWINS`)."""
        return self.storage.files(f"{self.folder}/plan/{round_}/twins", ".parquet")

    def write_work(self, number: int, rows: pa.Table, block_rows: int, round_: int = 1) -> None:
        """Write one file of a round's work list; each of its row groups (`block_rows` rows) becomes one block."""
        with self.storage.atomic(f"{self.folder}/plan/{round_}/work/work-{number:06d}.parquet") as file:
            pq.write_table(rows, file, row_group_size=block_rows, compression="zstd")

    def write_twins(self, name: str, rows: pa.Table, round_: int) -> None:
        """Set a block's twins aside for the next round, in the place of whatever the same block left before."""
        self._write_file(f"{self.folder}/plan/{round_}/twins/part-{name}.parquet", rows.cast(TWINS))

    def write_json(self, name: str, value: Any) -> None:
        """Write one of the run's JSON files."""
        self.write_text(name, json.dumps(value, ensure_ascii=False, indent=2) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Write one of the run's text files."""
        self.storage.write(f"{self.folder}/{name}", text.encode())

    def _listed(self, kind: Kind) -> list[str]:
        return self.storage.files(f"{self.folder}/{kind}", ".parquet")

    def _count(self, kind: Kind) -> dict[str, int]:
        names = self._listed(kind)
        self._counted.update((name, footer_rows(self.storage, name)) for name in names if name not in self._counted)
        return {name: self._counted[name] for name in names}

    def _write_file(self, path: str, rows: pa.Table) -> None:
        self._counted.pop(path, None)
        if rows.num_rows == 0:
            self.storage.remove(path)
            return
        with self.storage.atomic(path) as file:
            pq.write_table(rows, file, compression="zstd")
