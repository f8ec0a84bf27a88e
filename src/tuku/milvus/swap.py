"""The swap: what was proven is noted, readers are led to it, and what they need no more is cleared away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuku.milvus import alias, collection, index
from tuku.milvus.loaded_runs import LoadedRuns

if TYPE_CHECKING:
    from tuku.milvus.context import LoadContext


def show(context: LoadContext, name: str, former: str | None) -> None:
    """Note what a proven collection holds, and lead readers to it. Cut off anywhere, the next load ends it.

    Args:
        context: of the load.
        name: the collection.
        former: that readers saw when the load began; None if there was none.

    Raises:
        ConfigError, MilvusError: as `alias.promote`.
        LeaseLostError: the lake was taken over; readers see what they saw.
    """
    client = context.client
    context.require_lease()
    notes = LoadedRuns().adding(context.lake.run_ids()).note() | index.index_note(context.config.milvus.index)
    if context.config.load.alias:
        alias.promote(client, context.target, name, former, notes)
        clear_away(context, former)
    else:
        collection.note(client, name, notes | alias.proven_now())


def clear_away(context: LoadContext, former: str | None) -> None:
    """Drop the collections that are kept no longer, and free the memory of those that are.

    Args:
        context: of the load.
        former: the collection that readers saw before; None if there was none.
    """
    alias.drop_old(context.client, context.target, context.config.load.keep, former)
    alias.release_old(context.client, context.target, former)


def end_cut_off(context: LoadContext, name: str) -> None:
    """If readers see this collection, whose load was cut off, then they were led to it, and only clearing away is left.

    Args:
        context: of the load.
        name: the collection.
    """
    if context.config.load.alias and alias.resolve(context.client, context.target) == name:
        clear_away(context, collection.properties(context.client, name).get(alias.BEFORE))
