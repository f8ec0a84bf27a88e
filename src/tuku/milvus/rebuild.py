"""A fresh collection: filled, indexed, proven, and only then shown to readers."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from typing import TYPE_CHECKING

from tuku.errors import ConfigError
from tuku.milvus import alias, collection, index, load
from tuku.milvus.bulk import BulkImport, file_name
from tuku.milvus.connect import without_credentials
from tuku.milvus.context import Loaded
from tuku.milvus.export import cut_into, rows_per_file
from tuku.milvus.fields import Layout
from tuku.milvus.imports import ForgottenJobError, importer
from tuku.milvus.index_params import remarks
from tuku.milvus.ledger import LoadLedger
from tuku.milvus.loaded_runs import LoadedRuns
from tuku.milvus.made_as import settled
from tuku.milvus.rows import scalar_columns
from tuku.milvus.staging import STAGING_FOLDER, Staging
from tuku.milvus.upsert import send
from tuku.report import Check
from tuku.schemas import IMAGES

if TYPE_CHECKING:
    from tuku.milvus.context import LoadContext


logger = logging.getLogger(__name__)


def rebuild(context: LoadContext, reason: str, former: str | None) -> Loaded:
    """Fill a fresh collection from the lake, or go on with one whose filling was cut off; prove and promote it.

    Args:
        context: of the load.
        reason: why, for the report.
        former: the collection that readers see; None if there is none.

    Raises:
        ConfigError, MilvusError: as `tuku.milvus.job.load_and_verify`.
    """
    client, config = context.client, context.config
    runs = context.lake.run_ids()
    in_place = not config.load.alias and collection.exists(client, context.target)
    started = time.perf_counter()
    ledger = _begun(context) or _begin(context)
    try:
        inserted = _fill(context, ledger)
    except ForgottenJobError as error:
        logger.warning("%s A fresh collection is filled in its place.", error.message)
        ledger.remove()
        ledger = _begin(context)
        inserted = _fill(context, ledger)
    index.build_indexes(client, ledger.collection, config.milvus, inserted, context.able)
    context.settle(ledger.collection, inserted)
    outcome = Loaded(
        strategy="rebuild",
        reason="; ".join(filter(None, (reason, remarks(config.milvus.index, inserted)))),
        collection=ledger.collection,
        inserted=inserted,
        checks=[_sent_check(context, inserted), *context.prove(ledger.collection)],
        files=len(ledger.files),
        readers_cut_off_s=time.perf_counter() - started if in_place else 0.0,
    )
    if outcome.proven:
        context.require_lease()
        noted = LoadedRuns().adding(runs).note()
        collection.note(client, ledger.collection, noted | index.index_note(config.milvus.index))
        if config.load.alias:
            alias.promote(client, context.target, ledger.collection, former)
            alias.drop_old(client, context.target, config.load.keep, former)
            alias.release_old(client, context.target, former)
    ledger.remove()  # what was not proven is not gone on with
    return outcome


def forget_begun(context: LoadContext) -> None:
    """Forget rebuilds that were cut off, and drop what they filled: there is no need for them any more."""
    context.require_lease()
    if context.config.load.alias:
        alias.drop_unfinished(context.client, context.target, context.lake_uri)
    for ledger in list(LoadLedger.all(context.ledgers)):
        if ledger.target == _target(context):
            ledger.remove()


def _begun(context: LoadContext) -> LoadLedger | None:
    """The ledger of a load that was cut off and is to have the same content; others that were cut off are forgotten."""
    context.require_lease()
    found = None
    for ledger in list(LoadLedger.all(context.ledgers)):
        if ledger.target != _target(context):
            continue
        begun = ledger.filled is not None or ledger.rows_per_file > 0  # half of the inserts would have to be found out
        if begun and ledger.content == _content(context) and _is_unfinished(context, ledger.collection):
            found = ledger
        else:
            ledger.remove()
    return found


def _begin(context: LoadContext) -> LoadLedger:
    client, config = context.client, context.config
    notes = {alias.RUN: context.run_id, alias.LAKE: context.lake_uri}
    context.require_lease()
    rows_per_import = _rows_per_file(context)
    _require_typed(context)
    # Nothing that can be refused comes after this: in place, readers lose what they see here.
    if config.load.alias:
        alias.drop_unfinished(client, context.target, context.lake_uri)
        name = alias.collection_name(context.target, context.run_id, client.list_collections())
        notes[alias.ALIAS] = context.target
    else:
        name = context.target
        collection.drop(client, name)
    ledger = LoadLedger(context.ledgers, name, _target(context), _content(context), rows_per_import)
    if ledger.rows_per_file:
        ledger.staged_in = _staging(context, name).storage.uri
    ledger.save()
    collection.create(
        client, name, config.milvus, context.dim, context.embed_model, nulls=context.able.nulls, notes=notes
    )
    return ledger


def _require_typed(context: LoadContext) -> None:
    """Whether every row's metadata fits the typed fields.

    Raises:
        ConfigError: naming the first row that does not.
    """
    wanted = Layout.wanted(context.config.milvus, context.dim, nulls=context.able.nulls)
    if wanted.typed:
        for table in context.lake.batches(IMAGES.names):
            scalar_columns(table, wanted)


def _fill(context: LoadContext, ledger: LoadLedger) -> int:
    """Put all rows into the collection. Returns how many."""
    if ledger.filled is not None:
        return ledger.filled
    if not context.able.lite:  # a server indexes what has arrived while more is arriving
        rows = context.lake.rows()
        index.build_indexes(context.client, ledger.collection, context.config.milvus, rows, context.able)
    if ledger.rows_per_file:
        rows = _import(context, ledger)
    else:
        # Lite's insert replaces; a server's would double a request that pymilvus itself sends again.
        rows = send(context, ledger.collection, context.lake.batches(IMAGES.names), fresh=context.able.lite)
    ledger.set_filled(rows)
    return rows


def _import(context: LoadContext, ledger: LoadLedger) -> int:
    kind = context.able.imports
    if kind is None:
        raise ConfigError("This Milvus has no bulk import any more.", "Set load.bulk_import to never.")
    total = context.lake.rows()
    imports = importer(context.config, kind)
    try:
        bulk = BulkImport(
            imports,
            _staging(context, ledger.collection, ledger.staged_in),
            ledger,
            collection.layout(context.client, ledger.collection),
            in_flight=context.config.load.imports_in_flight,
            stall_s=context.config.load.stall_s,
            before_each=context.require_lease,
            progress=lambda rows: context.progress("import", rows, total),
        )
        bulk.run(context.lake.batches(IMAGES.names))
    finally:
        imports.close()
    _complete(context, ledger, bulk)
    return sum(file.rows for file in ledger.files.values())


def _complete(context: LoadContext, ledger: LoadLedger, bulk: BulkImport) -> None:
    """Send what files lack whose import came out short: an upsert replaces what has arrived."""
    if not bulk.short:
        return
    for number, part in enumerate(cut_into(context.lake.batches(IMAGES.names), ledger.rows_per_file)):
        name = file_name(number)
        if name in bulk.short:
            context.require_lease()
            batch_rows = context.config.load.batch_rows
            load.upsert(context.client, ledger.collection, part, batch_rows, parallel=context.parallel)
            bulk.settled(name)
    load.flush(context.client, ledger.collection, context.config.milvus.timeout_s)


def _staging(context: LoadContext, collection_name: str, staged_in: str = "") -> Staging:
    """A folder for one load alone, or the one that it began in: other people's files may lie beside it."""
    folder = staged_in.rpartition("/")[2] or f"{collection_name}-{context.run_id}"
    return Staging.of(context.config.load, f"{STAGING_FOLDER}/{folder}")


def _rows_per_file(context: LoadContext) -> int:
    """Of import files; 0 where rows are inserted."""
    config = context.config.load
    if config.staging_uri is None or context.able.imports is None:
        return 0
    _staging(context, context.target).prepare()
    first = next((table for table in context.lake.batches(IMAGES.names) if table.num_rows), None)
    if first is None:
        return 0
    wanted = Layout.wanted(context.config.milvus, context.dim, nulls=context.able.nulls)
    return rows_per_file(first, wanted, config.file_mb * 1_000_000)


def _sent_check(context: LoadContext, inserted: int) -> Check:
    rows = context.lake.rows()
    return Check(name="rows sent", expected=rows, actual=inserted, passed=inserted == rows)


def _is_unfinished(context: LoadContext, name: str) -> bool:
    if not collection.exists(context.client, name):
        return False
    notes = collection.properties(context.client, name)
    return LoadedRuns.read(notes) is None and alias.proven_at_ns(notes) is None


def _target(context: LoadContext) -> str:
    milvus = context.config.milvus
    return f"{without_credentials(milvus.uri)} {milvus.db} {milvus.collection}"


def _content(context: LoadContext) -> str:
    """A digest of what decides which rows and which fields a fresh collection gets, and which files they come in."""
    milvus, loading = context.config.milvus, context.config.load
    decides = {
        "runs": sorted(context.lake.run_ids()),
        "rows": context.lake.rows(),
        "model": [context.embed_model, context.dim],
        "fields": [milvus.vectors, milvus.indexed_metadata, milvus.partition_key],
        "made_as": [settled(milvus), milvus.index.metric],
        "alias": loading.alias,
        "staged": [loading.staging_uri, loading.bulk_import, loading.file_mb],
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
