"""In place, or into a fresh collection, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuku.errors import ConfigError
from tuku.milvus import collection, index
from tuku.milvus.loaded_runs import RUNS, LoadedRuns
from tuku.milvus.made_as import changes
from tuku.milvus.target import misfit

if TYPE_CHECKING:
    from tuku.milvus.context import LoadContext, Strategy


def choose(context: LoadContext, live: str | None) -> tuple[Strategy, str]:
    """The strategy and its reason.

    Args:
        context: of the load.
        live: the collection that readers see; None if there is none.

    Raises:
        VectorSpaceError, ConfigError: the collection can neither be filled further nor replaced (`misfit`).
    """
    config = context.config
    if live is None:
        return "rebuild", f"there is no collection {context.target} yet"
    different = misfit(context.client, config, live, (context.embed_model, context.dim), context.lake.run_ids())
    if different:
        return "rebuild", different
    if config.load.strategy == "rebuild":
        return "rebuild", "load.strategy is rebuild"
    notes = collection.properties(context.client, live)
    loaded = LoadedRuns.read(notes)
    if loaded is None and RUNS in notes:
        raise ConfigError(
            f"The collection {live} has a note of the runs that it holds, and this tuku cannot read it.",
            "Has a newer tuku filled it, or somebody changed it? To fill a fresh one: `tuku load --strategy rebuild`.",
        )
    if loaded is None:
        # Its import may still be under way, and would double what is upserted.
        return "rebuild", f"no load into {live} was ever finished"
    # `through` says nothing of whose runs they were: only those that are listed count.
    if loaded != LoadedRuns() and loaded.ids.isdisjoint(context.lake.run_ids()):
        raise ConfigError(
            f"The collection {live} was filled from another lake: none of its runs is in {context.lake_uri}.",
            "Check lake.uri and milvus.collection. If this lake shall take its place: `tuku load --strategy rebuild`.",
        )
    other = changes(notes, config.milvus)
    if config.load.strategy == "upsert":
        _require_same_index(context, live)
        return "upsert", f"load.strategy is upsert{_stays(other)}"
    return _by_what_changed(context, live, other)


def _require_same_index(context: LoadContext, live: str) -> None:
    """Refuses to exchange the index that readers of an alias use: nobody could search meanwhile.

    Raises:
        ConfigError: another one is asked for.
    """
    config = context.config
    if config.load.alias and not index.index_fits(context.client, live, config.milvus):
        raise ConfigError(
            f"The index of the collection {live} is not the one in milvus.index: only a rebuild changes that.",
            "Set milvus.index back, or: `tuku load --strategy rebuild`.",
        )


def _stays(other: str) -> str:
    return f"; {other}: only a rebuild changes that" if other else ""


def _by_what_changed(context: LoadContext, live: str, other: str) -> tuple[Strategy, str]:
    config = context.config
    loaded = LoadedRuns.read(collection.properties(context.client, live)) or LoadedRuns()
    news = sum(run_id not in loaded for run_id in context.lake.run_ids())
    if config.load.alias:  # in place these would cut readers off
        if not index.index_fits(context.client, live, config.milvus):
            return "rebuild", "the index in the configuration has changed"
        if other:
            return "rebuild", other
        rows = context.lake.rows()
        changed = context.lake.count_changed_since(loaded) if news else 0
        if changed > config.load.rebuild_fraction * rows:
            return "rebuild", f"{changed:,} of {rows:,} rows have changed, more than load.rebuild_fraction of them"
    return "upsert", f"{live} fits and lacks {news} of the lake's runs{_stays(other)}"
