"""The load: choose a strategy, fill, index, prove, and only then promote."""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

from tuku.milvus import alias, collection, index, load
from tuku.milvus.connect import connected, is_local
from tuku.milvus.ledger import LoadedRuns
from tuku.milvus.target import live_collection, require_fit, require_no_collapse
from tuku.milvus.verify import COUNT, LakeReader, verify
from tuku.report import Check
from tuku.schemas import IMAGES

if TYPE_CHECKING:
    import pyarrow as pa
    from pymilvus import MilvusClient

    from tuku.config import Config

logger = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Called with the phase (``insert``, ``index``, ``verify``), rows done, rows in all."""


class LakeSource(LakeReader, Protocol):
    """What a load reads of the lake."""

    def run_ids(self) -> set[str]:
        """The committed runs, those that a compaction has replaced too."""
        ...

    def changed_since(self, run_ids: Container[str]) -> Iterator[pa.Table]:
        """Rows of the current view, in `schemas.IMAGES`, that come from none of these runs."""
        ...

    def deleted_since(self, run_ids: Container[str]) -> Iterator[pa.Array]:
        """Ids that runs other than these took out of the current view."""
        ...


@dataclass(frozen=True)
class LoadReport:
    """What a load did; `load` and `verify` of report.json.

    Attributes:
        strategy: ``upsert`` or ``rebuild``.
        reason: why that one.
        collection: that was filled.
        alias: that readers use, or None with `load.alias: false`.
        inserted: rows sent.
        deleted: rows deleted from a collection in place.
        files: files imported in bulk.
        seconds: the whole load, proof included.
        checks: the proof. If any failed, the alias stands where it stood.
        readers_cut_off_s: how long nobody could search: while a collection was filled anew, or its index
            exchanged, in place. 0 where readers went on with the old collection.
    """

    strategy: Literal["upsert", "rebuild"]
    reason: str
    collection: str
    alias: str | None
    inserted: int
    deleted: int
    files: int
    seconds: float
    checks: list[Check]
    readers_cut_off_s: float = 0.0


@dataclass(frozen=True)
class _Job:
    """One load, and everything that its steps need."""

    client: MilvusClient
    config: Config
    lake: LakeSource
    run_id: str
    embed_model: str
    dim: int
    progress: Progress
    require_lease: Callable[[], None]

    @property
    def target(self) -> str:
        return self.config.milvus.collection


def load_and_verify(
    config: Config,
    lake: LakeSource,
    *,
    run_id: str,
    embed_model: str,
    dim: int,
    progress: Progress,
    require_lease: Callable[[], None],
) -> LoadReport:
    """Brings the collection in line with the lake and proves it.

    A fresh collection gets the alias only when every check has passed; what a killed load left behind
    is dropped by the next one.

    Args:
        config: `milvus`, `load` and `verify` are used.
        lake: the source of truth.
        run_id: names a fresh collection.
        embed_model: ``provider/model@revision`` of the lake's vectors.
        dim: their length.
        progress: see `Progress`.
        require_lease: called before each step that readers see or that cannot be undone; what it raises ends the load.

    Returns:
        The report; the caller decides what a failed check means.

    Raises:
        VectorSpaceError: the collection holds vectors of another model.
        ConfigError: the collection does not fit the configuration; the message says what to do.
        MilvusError: Milvus refused or did not answer in time.
    """
    started = time.perf_counter()
    with connected(config.milvus) as client:
        job = _Job(client, config, lake, run_id, embed_model, dim, progress, require_lease)
        live = live_collection(client, config)
        strategy, reason = _choose(job, live)
        if live is not None:
            require_no_collapse(client, config, live, lake.rows())
        if strategy == "rebuild" or live is None:
            report = _rebuild(job, reason)
        else:
            report = _upsert(job, live, reason)
            if config.load.strategy == "auto" and _count_differs(report.checks):
                logger.warning("%s does not hold the lake's rows after the upsert: filling a fresh one", live)
                earlier_s = report.readers_cut_off_s
                report = _rebuild(job, f"the row count was wrong after an upsert into {live}")
                report = replace(report, readers_cut_off_s=earlier_s + report.readers_cut_off_s)
    return replace(report, seconds=time.perf_counter() - started)


def _choose(job: _Job, live: str | None) -> tuple[Literal["upsert", "rebuild"], str]:
    config = job.config
    if live is None:
        return "rebuild", f"there is no collection {job.target} yet"
    require_fit(job.client, config, live, job.embed_model, job.dim)
    if config.load.strategy == "rebuild":
        return "rebuild", "load.strategy is rebuild"
    if config.load.strategy == "upsert":
        return "upsert", "load.strategy is upsert"
    loaded = LoadedRuns.read(collection.properties(job.client, live))
    if loaded is None:
        return "rebuild", f"no load into {live} was ever finished"
    if config.load.alias and not index.index_fits(job.client, live, config.milvus):
        return "rebuild", "the index in the configuration has changed"  # in place would cut readers off
    news = sum(run_id not in loaded for run_id in job.lake.run_ids())
    return "upsert", f"{live} fits and lacks {news} of the lake's runs"


def _rebuild(job: _Job, reason: str) -> LoadReport:
    client, config = job.client, job.config
    runs = job.lake.run_ids()
    in_place = not config.load.alias and collection.exists(client, job.target)
    started = time.perf_counter()
    name = _fresh_collection(job)
    # Lite's insert replaces; a server's would double a request that pymilvus itself sends again.
    inserted = _send(job, name, job.lake.batches(IMAGES.names), fresh=is_local(config.milvus.uri))
    index.build_indexes(client, name, config.milvus, inserted)
    _settle(job, name, inserted)
    cut_off_s = time.perf_counter() - started if in_place else 0.0
    checks = _verify(job, name)
    if all(check.passed for check in checks):
        job.require_lease()
        collection.note(client, name, LoadedRuns().adding(runs).note())
        if config.load.alias:
            alias.promote(client, job.target, name)
            alias.drop_old(client, job.target, config.load.keep)
    return _report(job, "rebuild", reason, name, inserted=inserted, checks=checks, cut_off_s=cut_off_s)


def _fresh_collection(job: _Job) -> str:
    client, config = job.client, job.config
    notes = {}
    job.require_lease()
    if config.load.alias:
        alias.drop_unfinished(client, job.target)
        name = alias.collection_name(job.target, job.run_id, client.list_collections())
        notes = {alias.ALIAS: job.target}
    else:
        name = job.target
        collection.drop(client, name)
    collection.create(client, name, config.milvus, job.dim, job.embed_model, notes=notes)
    return name


def _upsert(job: _Job, name: str, reason: str) -> LoadReport:
    client, config = job.client, job.config
    noted = LoadedRuns.read(collection.properties(client, name)) or LoadedRuns()
    runs = job.lake.run_ids()
    started = time.perf_counter()
    job.require_lease()
    exchanged = index.build_indexes(client, name, config.milvus, job.lake.rows())
    deleted = load.delete(client, name, job.lake.deleted_since(noted))
    inserted = _send(job, name, job.lake.changed_since(noted))
    index.load(client, name, config.milvus.timeout_s)
    cut_off_s = time.perf_counter() - started if exchanged else 0.0
    _settle(job, name, collection.count(client, name))
    checks = _verify(job, name)
    if all(check.passed for check in checks):
        job.require_lease()
        collection.note(client, name, noted.adding(runs).note())
    return _report(job, "upsert", reason, name, inserted=inserted, deleted=deleted, checks=checks, cut_off_s=cut_off_s)


def _send(job: _Job, name: str, batches: Iterator[pa.Table], *, fresh: bool = False) -> int:
    total = job.lake.rows()

    def sent(rows: int) -> None:
        job.progress("insert", rows, max(rows, total))
        job.require_lease()  # before the next ones go

    job.require_lease()
    inserted = load.upsert(job.client, name, batches, job.config.load.batch_rows, fresh=fresh, sent=sent)
    load.flush(job.client, name, job.config.milvus.timeout_s)
    return inserted


def _settle(job: _Job, name: str, rows: int) -> None:
    """Until every row is indexed and the collection can be searched."""
    milvus = job.config.milvus
    job.progress("index", 0, rows)
    index.wait_indexed(job.client, name, milvus, rows, milvus.timeout_s)
    index.load(job.client, name, milvus.timeout_s)
    job.progress("index", rows, rows)


def _verify(job: _Job, name: str) -> list[Check]:
    rows = job.lake.rows()
    job.progress("verify", 0, rows)
    checks = verify(
        job.client,
        name,
        job.lake,
        job.config.milvus,
        job.config.verify,
        embed_model=job.embed_model,
        dim=job.dim,
        seed=zlib.crc32(job.run_id.encode()),  # each load proves other rows; the same load the same ones
    )
    job.progress("verify", rows, rows)
    return checks


def _count_differs(checks: list[Check]) -> bool:
    return any(check.name == COUNT and not check.passed for check in checks)


def _report(
    job: _Job,
    strategy: Literal["upsert", "rebuild"],
    reason: str,
    name: str,
    *,
    inserted: int,
    checks: list[Check],
    cut_off_s: float,
    deleted: int = 0,
) -> LoadReport:
    return LoadReport(
        strategy=strategy,
        reason=reason,
        collection=name,
        alias=job.target if job.config.load.alias else None,
        inserted=inserted,
        deleted=deleted,
        files=0,
        seconds=0.0,
        checks=checks,
        readers_cut_off_s=cut_off_s,
    )
