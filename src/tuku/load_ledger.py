"""The load ledger: what a load has staged, begun and finished, kept in the lake for the next load to go on from."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, NonNegativeInt

from tuku.storage import storage_at

if TYPE_CHECKING:
    from tuku.storage import Storage

logger = logging.getLogger(__name__)

FOLDER = "loads"

STAGING_FOLDER = "tuku-staging"
"""Below `load.staging_uri`. The folder of one load in it is ``<collection>-<run_id>``: only such a one is removed."""

_STAGED_IN = re.compile(rf"(?P<root>(?:/[^\0]*)?|s3://[^\0]+)/{STAGING_FOLDER}/(?P<folder>[\w.-]+)")


@dataclass(frozen=True)
class StagedFile:
    """One file for a bulk import.

    Attributes:
        rows: in it.
        size: bytes.
        sha256: of its content.
        state: ``staged``; ``starting``: Milvus is being asked to import it, and may have begun; ``importing``;
            ``done``.
        job_id: Milvus' own, of the import.
        failures: imports of it that failed.
    """

    rows: int
    size: int
    sha256: str
    state: Literal["staged", "starting", "importing", "done"] = "staged"
    job_id: str = ""
    failures: int = 0


class _Kept(BaseModel):
    """What a ledger's file holds; anybody may have edited it."""

    model_config = ConfigDict(strict=True, extra="forbid")

    collection: str
    target: str
    content: str
    rows_per_file: NonNegativeInt = 0
    staged_in: str = ""
    files: dict[str, StagedFile]
    filled: NonNegativeInt | None = None


@dataclass
class LoadLedger:
    """The ledger of one fresh collection. Every change is on disk when the method returns.

    Attributes:
        storage: the lake's.
        collection: that is being filled.
        target: which Milvus, database and alias it is for.
        content: a digest of what is to be in it.
        rows_per_file: of every import file but the last; 0: rows are inserted.
        staged_in: address of the folder that holds this load's import files and nothing else; empty: rows are inserted.
        files: those that were staged, by name.
        filled: rows in the collection, when all of them are; None before.
        name: of the file that it is. Two Milvus may fill collections of one name from one lake: each load has its own.
    """

    storage: Storage
    collection: str
    target: str
    content: str
    rows_per_file: int = 0
    staged_in: str = ""
    files: dict[str, StagedFile] = field(default_factory=dict)
    filled: int | None = None
    name: str = field(default="", init=False)

    def __post_init__(self) -> None:
        """Find its name."""
        digest = hashlib.sha256(self.target.encode()).hexdigest()
        self.name = f"{FOLDER}/{self.collection}-{digest[:8]}.json"

    @classmethod
    def all(cls, storage: Storage) -> Iterator[LoadLedger]:
        """Those that are kept."""
        for name in storage.files(FOLDER, ".json"):
            try:
                ledger = cls(storage, **dict(_Kept.model_validate_json(storage.read(name))))
                ledger._staged()
            except ValueError:
                logger.warning("%s is no load ledger of this version, and is passed over", storage.where(name))
                continue
            if name == f"{FOLDER}/{ledger.collection}.json":  # of a tuku that named it by its collection alone
                ledger.name = name
            if ledger.name == name:
                yield ledger

    def put(self, name: str, file: StagedFile) -> None:
        """Note where a file has got to."""
        self.files[name] = file
        self.save()

    def set_filled(self, rows: int) -> None:
        """Note that all rows are in the collection."""
        self.filled = rows
        self.save()

    def forget(self, name: str) -> None:
        """Note that a file has to be written again."""
        self.files.pop(name, None)
        self.save()

    def save(self) -> None:
        """Write it, in the place of an older state."""
        kept = {name: value for name, value in vars(self).items() if name not in {"storage", "name"}}
        kept["files"] = {name: asdict(file) for name, file in self.files.items()}
        self.storage.write(self.name, (json.dumps(kept, indent=1) + "\n").encode())

    def remove(self) -> None:
        """The collection is no longer being filled, or must not be: its files go too, and first.

        Raises:
            StorageError, StoppedError: they cannot be removed. Then the ledger stays: it alone says where they are.
        """
        if staged := self._staged():
            root, folder = staged
            storage_at(root).remove_all(folder)
        self.storage.remove(self.name)

    def _staged(self) -> tuple[str, str] | None:
        """`load.staging_uri` as it was, and this load's folder below it; None: nothing was staged.

        Raises:
            ValueError: it is not the folder of a load of this collection.
        """
        if not self.staged_in:
            return None
        place = _STAGED_IN.fullmatch(self.staged_in)
        if place is None or not place["folder"].startswith(f"{self.collection}-"):
            raise ValueError(f"{self.staged_in} is not where files of {self.collection} are staged")
        return place["root"] or "/", f"{STAGING_FOLDER}/{place['folder']}"
