"""One load, and everything that its steps need."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from tuku.milvus import collection, index, made_as
from tuku.milvus.verify import LakeReader, verify

if TYPE_CHECKING:
    import pyarrow as pa
    from pymilvus import MilvusClient

    from tuku.config import Config
    from tuku.milvus.capabilities import Capabilities
    from tuku.report import Check
    from tuku.storage import Storage

Strategy = Literal["upsert", "rebuild"]

Progress = Callable[[str, int, int], None]
"""Called with the phase (``insert``, ``import``, ``index``, ``memory``, ``verify``), rows done, rows in all."""


class LakeSource(LakeReader, Protocol):
    """What a load reads of the lake."""

    def run_ids(self) -> set[str]:
        """The committed runs, those that a compaction has replaced too."""
        ...

    def sources(self) -> list[str]:
        """What its images come from, in an order: as long as these are the same, so are its rows and their order."""
        ...

    def changed_since(self, run_ids: Container[str]) -> Iterator[pa.Table]:
        """Rows of the current view, in `schemas.IMAGES`, that come from none of these runs."""
        ...

    def count_changed_since(self, run_ids: Container[str]) -> int:
        """How many these are."""
        ...

    def deleted_since(self, run_ids: Container[str]) -> Iterator[pa.Array]:
        """Ids that runs other than these took out of the current view."""
        ...


@dataclass(frozen=True)
class Loaded:
    """What became of a load.

    Attributes:
        strategy: ``upsert`` or ``rebuild``.
        reason: why that one.
        collection: that was filled.
        inserted: rows sent, or imported.
        checks: the proof. If any failed, the alias stands where it stood.
        deleted: rows deleted from a collection in place.
        files: files imported in bulk.
        readers_cut_off_s: how long nobody could search: while a collection was filled anew, or its index
            exchanged, in place. 0 where readers went on with the old collection.
    """

    strategy: Strategy
    reason: str
    collection: str
    inserted: int
    checks: list[Check]
    deleted: int = 0
    files: int = 0
    readers_cut_off_s: float = 0.0

    @property
    def proven(self) -> bool:
        """Whether every check has passed."""
        return all(check.passed for check in self.checks)


@dataclass(frozen=True)
class LoadOrder:
    """What is to be loaded, where, and how.

    Attributes:
        config: `milvus`, `load` and `verify` are used.
        lake: the source of truth.
        ledgers: where load ledgers are kept: the lake's storage.
        run_id: names a fresh collection.
        embed_model: ``provider/model@revision`` of the lake's vectors.
        dim: their length.
        progress: see `Progress`.
        require_lease: called before each step that readers see or that cannot be undone; what it raises ends the load.
    """

    config: Config
    lake: LakeSource
    ledgers: Storage
    run_id: str
    embed_model: str
    dim: int
    progress: Progress
    require_lease: Callable[[], None]


@dataclass(frozen=True)
class LoadContext(LoadOrder):
    """A load that is going on.

    Attributes:
        client: an open client.
        able: what this Milvus can do.
    """

    client: MilvusClient
    able: Capabilities

    @property
    def target(self) -> str:
        """The alias that readers use, or, with `load.alias: false`, the collection."""
        return self.config.milvus.collection

    @property
    def lake_uri(self) -> str:
        """Where the lake is, for people."""
        return self.ledgers.uri

    @property
    def parallel(self) -> int:
        """Requests that may be under way at once."""
        return self.config.load.requests_in_flight if self.able.parallel_writes else 1

    def settle(self, name: str, rows: int) -> None:
        """Wait until every row of a collection is indexed, and it can be searched."""
        milvus = self.config.milvus
        self.progress("index", 0, rows)
        index.wait_indexed(self.client, name, milvus, rows, milvus.timeout_s)
        self.progress("index", rows, rows)
        self.progress("memory", 0, rows)
        copies = made_as.replicas(collection.properties(self.client, name), milvus)
        index.load(self.client, name, milvus.timeout_s, replicas=copies)
        self.progress("memory", rows, rows)

    def prove(self, name: str) -> list[Check]:
        """Compare a collection with the lake."""
        rows = self.lake.rows()
        self.progress("verify", 0, rows)
        checks = verify(
            self.client,
            name,
            self.lake,
            self.config.milvus,
            self.config.verify,
            embed_model=self.embed_model,
            dim=self.dim,
            seed=zlib.crc32(self.run_id.encode()),  # each load proves other rows; the same load the same ones
        )
        self.progress("verify", rows, rows)
        return checks
