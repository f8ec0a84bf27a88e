"""Fresh collections that a load has begun to fill: the one to go on with, or another."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tuku.load_ledger import STAGING_FOLDER, LoadLedger
from tuku.milvus import alias, collection
from tuku.milvus.export import rows_per_file
from tuku.milvus.fields import Layout
from tuku.milvus.identity import content, is_for, target
from tuku.milvus.loaded_runs import LoadedRuns
from tuku.milvus.rows import SCALAR_COLUMNS, scalar_columns
from tuku.milvus.staging import Staging
from tuku.milvus.swap import end_cut_off
from tuku.schemas import IMAGES

if TYPE_CHECKING:
    from pymilvus import MilvusClient

    from tuku.config import MilvusConfig
    from tuku.milvus.context import LoadContext
    from tuku.storage import Storage

logger = logging.getLogger(__name__)


def begun(context: LoadContext) -> LoadLedger | None:
    """The ledger of a load that was cut off and is to have the same content; others that were cut off are forgotten."""
    context.require_lease()
    found = None
    for ledger in _own(context.config.milvus, context.ledgers):
        if _can_go_on(context, ledger):
            found = ledger
        else:
            end_cut_off(context, ledger.collection)
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
    alias.drop_unfinished(client, context.target, runs)  # load.alias may have been true then
    if config.load.alias:
        name = alias.collection_name(context.target, context.run_id, client.list_collections())
        notes[alias.ALIAS] = context.target
    else:
        name = context.target
        collection.drop(client, name)
    ledger = LoadLedger(context.ledgers, name, target(config.milvus), content(context), rows_per_import)
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
    alias.drop_unfinished(context.client, context.target, context.lake.run_ids())
    for ledger in _own(context.config.milvus, context.ledgers):
        end_cut_off(context, ledger.collection)
        ledger.remove()


def forget_shown(client: MilvusClient, config: MilvusConfig, ledgers: Storage) -> None:
    """Forget that the load of the collection that readers see was cut off: they are about to be led away from it.

    Args:
        client: an open client.
        config: `collection` is the alias.
        ledgers: where load ledgers are kept.
    """
    shown = alias.resolve(client, config.collection)
    for ledger in _own(config, ledgers):
        if ledger.collection == shown:
            ledger.remove()


def _own(config: MilvusConfig, ledgers: Storage) -> list[LoadLedger]:
    """The ledgers of loads into this Milvus and alias."""
    return [ledger for ledger in LoadLedger.all(ledgers) if is_for(config, ledger.target)]


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


def _can_go_on(context: LoadContext, ledger: LoadLedger) -> bool:
    """Whether its collection is to have this very content, and readers do not see it yet."""
    filling = ledger.filled is not None or ledger.rows_per_file > 0  # half of the inserts would have to be found out
    if not (filling and ledger.content == content(context) and collection.exists(context.client, ledger.collection)):
        return False
    if ledger.filled is not None and collection.estimated(context.client, ledger.collection) < ledger.filled:
        logger.warning("%s has lost rows since it was filled: it is filled anew", ledger.collection)
        return False
    if context.config.load.alias:  # one that was proven, and not shown before the load was cut off, is proven again
        return alias.resolve(context.client, context.target) != ledger.collection
    notes = collection.properties(context.client, ledger.collection)
    return LoadedRuns.read(notes) is None and alias.proven_at_ns(notes) is None
