"""Which run has the last word on each id that a dead letter bears."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Hashes = npt.NDArray[np.int64]
"""Ids, as they are compared: that one of 10⁶ letters is taken for one of 10⁷ images has a chance of 10¹³ / 2⁶⁴."""


def hashes(rows: pa.Table) -> Hashes:
    """Of the column ``image_id``, in order; the same for the same id within this process."""
    ids = rows.column("image_id").to_pylist()
    return np.fromiter(map(hash, ids), np.int64, len(ids))


@dataclass
class Outcomes:
    """For each id that a dead letter bears, the newest run that says what became of it: 12 bytes an id.

    Attributes:
        ids: int64 (n,), sorted, each once.
        runs: int32 (n,), the runs' numbers; a newer run has a larger one.
    """

    ids: Hashes
    runs: npt.NDArray[np.int32]

    @classmethod
    def of(cls, letters: Iterable[tuple[int, Hashes]]) -> Outcomes:
        """From the letters themselves: the number of their run and their ids, newest run first."""
        ids, runs = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
        for number, borne in letters:
            ids.append(borne)
            runs.append(np.full(len(borne), number, np.int32))
        unique, first = np.unique(np.concatenate(ids), return_index=True)
        return cls(unique, np.concatenate(runs)[first])

    def oldest(self) -> int:
        """The oldest run that has the last word on one of the ids; with no ids, later than any run."""
        return int(self.runs.min(initial=np.iinfo(np.int32).max))

    def add(self, numbers: int | npt.NDArray[np.int32], ids: Hashes) -> None:
        """Runs (one, or one for each id) say what became of these ids; those that no letter bears do not matter."""
        places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        borne = self.ids[places] == ids
        np.maximum.at(self.runs, places[borne], np.broadcast_to(numbers, ids.shape)[borne])

    def newest(self, ids: Hashes) -> npt.NDArray[np.int32]:
        """The newest run for each of these, all of which letters bear."""
        return self.runs[np.searchsorted(self.ids, ids)]
