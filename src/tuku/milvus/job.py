"""The load: choose a strategy, fill, index, prove, and only then promote."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from tuku.milvus.begun import forget_begun
from tuku.milvus.capabilities import ask, require_able
from tuku.milvus.connect import connected
from tuku.milvus.context import LoadContext, Loaded, LoadOrder
from tuku.milvus.rebuild import rebuild
from tuku.milvus.strategy import choose
from tuku.milvus.target import live_collection, require_no_collapse
from tuku.milvus.upsert import upsert
from tuku.milvus.verify import COUNT

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadReport(Loaded):
    """What a load did; `load` and `verify` of report.json.

    Attributes:
        alias: that readers use, or None with `load.alias: false`.
        seconds: the whole load, proof included.
    """

    alias: str | None = None
    seconds: float = 0.0


def load_and_verify(order: LoadOrder) -> LoadReport:
    """Brings the collection in line with the lake and proves it.

    A fresh collection gets the alias only when every check has passed; a load that was killed is gone on with by the
    next one, as far as it can be, and what it left behind is dropped.

    Returns:
        The report; the caller decides what a failed check means.

    Raises:
        VectorSpaceError: the collection holds vectors of another model.
        ConfigError: the collection does not fit the configuration, or this Milvus cannot have it; the message says what
            to do.
        MilvusError: Milvus refused or did not answer in time, or an import failed for good.
    """
    started = time.perf_counter()
    config = order.config
    with connected(config.milvus) as client:
        able = ask(client, config)
        require_able(able, config.milvus, order.dim)
        outcome = _load(LoadContext(**vars(order), client=client, able=able))
    return LoadReport(
        **vars(outcome),
        alias=config.milvus.collection if config.load.alias else None,
        seconds=time.perf_counter() - started,
    )


def _load(context: LoadContext) -> Loaded:
    live = live_collection(context.client, context.config)
    strategy, reason = choose(context, live)
    if live is not None:
        require_no_collapse(context.client, context.config, live, context.lake.rows())
    if strategy == "rebuild" or live is None:
        return rebuild(context, reason, live)
    forget_begun(context)
    outcome = upsert(context, live, reason)
    config = context.config.load
    if config.strategy == "auto" and config.alias and _count_differs(outcome):  # in place it would cut readers off
        logger.warning("%s does not hold the lake's rows after the upsert: filling a fresh one", live)
        outcome = rebuild(context, f"the row count was wrong after an upsert into {live}", live)
    return outcome


def _count_differs(outcome: Loaded) -> bool:
    return any(check.name == COUNT and not check.passed for check in outcome.checks)
