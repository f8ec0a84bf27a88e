"""A fresh collection: filled, indexed, proven, and only then shown to readers."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from tuku.errors import ConfigError
from tuku.load_ledger import LoadLedger
from tuku.milvus import collection, index, load
from tuku.milvus.begun import begin, begun, staging_of
from tuku.milvus.bulk import BulkImport, file_name
from tuku.milvus.context import Loaded
from tuku.milvus.export import cut_into
from tuku.milvus.imports import ForgottenJobError, importer
from tuku.milvus.index_params import remarks
from tuku.milvus.swap import show
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
    config = context.config
    in_place = not config.load.alias and collection.exists(context.client, context.target)
    started = time.perf_counter()
    ledger, inserted = _filled(context)
    index.build_indexes(context.client, ledger.collection, config.milvus, inserted, context.able)
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
        show(context, ledger.collection, former)
    context.require_lease()
    ledger.remove()  # what was not proven is not gone on with
    return outcome


def _filled(context: LoadContext) -> tuple[LoadLedger, int]:
    """A collection with all rows in it, and how many they are."""
    ledger = begun(context) or begin(context)
    try:
        return ledger, _fill(context, ledger)
    except ForgottenJobError as error:
        logger.warning("%s A fresh collection is filled in its place.", error.message)
        context.require_lease()
        ledger.remove()
        ledger = begin(context)
        return ledger, _fill(context, ledger)


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
    context.require_lease()
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
            staging_of(context, ledger.collection, ledger.staged_in),
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
        if file_name(number) in bulk.short:
            context.require_lease()
            batch_rows = context.config.load.batch_rows
            load.upsert(context.client, ledger.collection, part, batch_rows, parallel=context.parallel)
    load.flush(context.client, ledger.collection, context.config.milvus.timeout_s)
    # Only now: nobody would flush what a file noted before has sent, and nothing is indexed until then.
    for name in sorted(bulk.short):
        bulk.settled(name)


def _sent_check(context: LoadContext, inserted: int) -> Check:
    rows = context.lake.rows()
    return Check(name="rows sent", expected=rows, actual=inserted, passed=inserted == rows)
