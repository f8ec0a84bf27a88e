"""Loads into Milvus that were cut off and never gone on with: their ledgers, and the files that they have staged."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timezone

from tuku.errors import TukuError
from tuku.housekeeping.retention import Retention
from tuku.lake import Lake
from tuku.load_ledger import FOLDER, LoadLedger
from tuku.storage import Stored

logger = logging.getLogger(__name__)


def idle_ledgers(lake: Lake, retention: Retention) -> list[Stored]:
    """Ledgers that nobody has written to for as long as replaced files are kept.

    A load that goes on writes to its own all the time, and every other load into the same place removes it. It stays if
    nothing is loaded there any more, or the address is spelt otherwise now.
    """
    known = {ledger.name for ledger in LoadLedger.all(lake.storage)}
    return [
        file
        for file in lake.storage.walk(FOLDER)
        if file.name in known
        and retention.over(datetime.fromtimestamp(file.modified_s, timezone.utc), retention.replaced)
    ]


def give_up(lake: Lake, files: Sequence[Stored]) -> None:
    """Remove ledgers with what was staged. Where that cannot be reached, which is said, the ledger stays as well."""
    names = {file.name for file in files}
    for ledger in [ledger for ledger in LoadLedger.all(lake.storage) if ledger.name in names]:
        try:
            ledger.remove()
        except TukuError as error:
            where = lake.storage.where(ledger.name)
            logger.warning("%s stays: what was staged in %s cannot be removed: %s", where, ledger.staged_in, error)
