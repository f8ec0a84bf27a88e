"""The small delta: rows that are new or changed are upserted in place, and those that are gone are deleted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tuku.milvus import alias, collection, index, load, made_as
from tuku.milvus.context import Loaded
from tuku.milvus.index_params import remarks
from tuku.milvus.loaded_runs import LoadedRuns

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from tuku.milvus.context import LoadContext


def upsert(context: LoadContext, name: str, reason: str) -> Loaded:
    """Bring the collection that readers see in line with the lake, and prove it."""
    client, config = context.client, context.config
    properties = collection.properties(client, name)
    noted = LoadedRuns.read(properties) or LoadedRuns()
    runs = context.lake.run_ids()
    started = time.perf_counter()
    context.require_lease()
    rows = context.lake.rows()
    collection.note(client, name, {alias.UNPROVEN: context.run_id})  # before anything changes
    exchanged = index.build_indexes(client, name, config.milvus, rows, context.able)
    remark = remarks(config.milvus.index, rows) if exchanged else ""
    deleted = load.delete(client, name, context.lake.deleted_since(noted), parallel=context.parallel)
    inserted = send(context, name, context.lake.changed_since(noted))
    index.load(client, name, config.milvus.timeout_s, replicas=made_as.replicas(properties, config.milvus))
    cut_off_s = time.perf_counter() - started if exchanged else 0.0
    context.settle(name, collection.count(client, name))
    outcome = Loaded(
        strategy="upsert",
        reason="; ".join(filter(None, (reason, remark))),
        collection=name,
        inserted=inserted,
        checks=context.prove(name),
        deleted=deleted,
        readers_cut_off_s=cut_off_s,
    )
    if outcome.proven:
        context.require_lease()
        # The time is that of the first proof; earlier versions of tuku noted none in place.
        proven = {**(alias.proven_now() if alias.first_proven_at_ns(properties) is None else {}), alias.UNPROVEN: ""}
        collection.note(client, name, noted.adding(runs).note() | index.index_note(config.milvus.index) | proven)
    return outcome


def send(context: LoadContext, name: str, batches: Iterator[pa.Table], *, fresh: bool = False) -> int:
    """Send rows, and see to it that they are on Milvus' disk. Returns how many."""
    total = context.lake.rows()

    def sent(rows: int) -> None:
        context.progress("insert", rows, max(rows, total))
        context.require_lease()  # before the next ones go

    context.require_lease()
    inserted = load.upsert(
        context.client,
        name,
        batches,
        context.config.load.batch_rows,
        fresh=fresh,
        parallel=context.parallel,
        sent=sent,
    )
    load.flush(context.client, name, context.config.milvus.timeout_s)
    return inserted
