"""Fresh collections that a load has begun to fill: the one to go on with, or another."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from tuku.milvus import alias, collection
from tuku.milvus.address import without_credentials
from tuku.milvus.export import rows_per_file
from tuku.milvus.fields import Layout
from tuku.milvus.ledger import LoadLedger
from tuku.milvus.loaded_runs import LoadedRuns
from tuku.milvus.made_as import settled
from tuku.milvus.rows import SCALAR_COLUMNS, scalar_columns
from tuku.milvus.staging import STAGING_FOLDER, Staging
from tuku.schemas import IMAGES

if TYPE_CHECKING:
    from tuku.milvus.context import LoadContext


def begun(context: LoadContext) -> LoadLedger | None:
    """The ledger of a load that was cut off and is to have the same content; others that were cut off are forgotten."""
    context.require_lease()
    found = None
    for ledger in list(LoadLedger.all(context.ledgers)):
        if ledger.target != _target(context):
            continue
        # Half of the inserts would have to be found out.
        can_go_on = ledger.filled is not None or ledger.rows_per_file > 0
        if can_go_on and ledger.content == _content(context) and _is_unfinished(context, ledger.collection):
            found = ledger
        else:
            ledger.remove()
    return found


def begin(context: LoadContext) -> LoadLedger:
    """Make a fresh collection, and its ledger; unfinished ones of this lake are dropped.

    Raises:
        ConfigError: a row of the lake does not fit the typed fields, or files cannot be staged at such an address.
        StorageError, StoppedError: files cannot be staged, or the ledger cannot be written.
        MilvusError: Milvus refused, or did not answer.
    """
    client, config = context.client, context.config
    runs = context.lake.run_ids()
    notes = {alias.RUN: context.run_id, alias.NEWEST: max(runs, default="")}
    context.require_lease()
    rows_per_import = _rows_per_file(context)
    _require_typed(context)
    # Nothing that can be refused comes after this: in place, readers lose what they see here.
    if config.load.alias:
        alias.drop_unfinished(client, context.target, runs)
        name = alias.collection_name(context.target, context.run_id, client.list_collections())
        notes[alias.ALIAS] = context.target
    else:
        name = context.target
        collection.drop(client, name)
    ledger = LoadLedger(context.ledgers, name, _target(context), _content(context), rows_per_import)
    if ledger.rows_per_file:
        ledger.staged_in = staging_of(context, name).storage.uri
    ledger.save()
    collection.create(
        client, name, config.milvus, context.dim, context.embed_model, nulls=context.able.nulls, notes=notes
    )
    return ledger


def forget_begun(context: LoadContext) -> None:
    """Forget rebuilds that were cut off, and drop what they filled: there is no need for them any more."""
    context.require_lease()
    if context.config.load.alias:
        alias.drop_unfinished(context.client, context.target, context.lake.run_ids())
    for ledger in list(LoadLedger.all(context.ledgers)):
        if ledger.target == _target(context):
            ledger.remove()


def staging_of(context: LoadContext, collection_name: str, staged_in: str = "") -> Staging:
    """A folder for one load alone, or the one that it began in: other people's files may lie beside it."""
    folder = staged_in.rpartition("/")[2] or f"{collection_name}-{context.run_id}"
    return Staging.of(context.config.load, f"{STAGING_FOLDER}/{folder}")


def _rows_per_file(context: LoadContext) -> int:
    """Of import files; 0 where rows are inserted."""
    config = context.config.load
    if config.staging_uri is None or context.able.imports is None:
        return 0
    staging_of(context, context.target).prepare()
    first = next((table for table in context.lake.batches(IMAGES.names) if table.num_rows), None)
    if first is None:
        return 0
    wanted = Layout.wanted(context.config.milvus, context.dim, nulls=context.able.nulls)
    return rows_per_file(first, wanted, config.file_mb * 1_000_000)


def _require_typed(context: LoadContext) -> None:
    """Whether every row's metadata fits the typed fields.

    Raises:
        ConfigError: naming the first row that does not.
    """
    wanted = Layout.wanted(context.config.milvus, context.dim, nulls=context.able.nulls)
    if wanted.typed:
        for table in context.lake.batches(SCALAR_COLUMNS):
            scalar_columns(table, wanted)


def _is_unfinished(context: LoadContext, name: str) -> bool:
    if not collection.exists(context.client, name):
        return False
    notes = collection.properties(context.client, name)
    return LoadedRuns.read(notes) is None and alias.proven_at_ns(notes) is None


def _target(context: LoadContext) -> str:
    milvus = context.config.milvus
    return f"{without_credentials(milvus.uri)} {milvus.db} {milvus.collection}"


def _content(context: LoadContext) -> str:
    """A digest of what decides which rows and which fields a fresh collection gets, and which files they come in.

    Not the runs: every `tuku ingest` commits one, also when nothing has changed since the load was cut off.
    """
    milvus, loading = context.config.milvus, context.config.load
    decides = {
        "sources": context.lake.sources(),
        "rows": context.lake.rows(),
        "model": [context.embed_model, context.dim],
        "fields": [milvus.vectors, milvus.indexed_metadata, milvus.partition_key],
        "made_as": [settled(milvus), milvus.index.metric],
        "alias": loading.alias,
        "staged": [loading.staging_uri, loading.bulk_import, loading.file_mb],
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
