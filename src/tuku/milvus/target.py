"""What stands where a load is to go, and whether it may go there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tuku.errors import ConfigError, StorageError
from tuku.milvus import alias, collection
from tuku.milvus.calls import milvus_errors
from tuku.milvus.capabilities import ask, require_able
from tuku.milvus.connect import MissingFileError, connected
from tuku.milvus.loaded_runs import RUNS, LoadedRuns
from tuku.milvus.reader import ensure_loaded
from tuku.milvus.staging import require_staging

if TYPE_CHECKING:
    from collections.abc import Collection

    from pymilvus import MilvusClient

    from tuku.config import Config


def check_target(config: Config, *, embed_model: str, dim: int, run_ids: Collection[str] = ()) -> None:
    """Finds out before any work is done whether a load could go into what is there; leaves no file behind.

    Args:
        config: `milvus` and `load` are used.
        embed_model: ``provider/model@revision`` of the vectors to come.
        dim: their length.
        run_ids: of the lake they are to be in.

    Raises:
        VectorSpaceError, ConfigError: what `load_and_verify` would raise. No file or no collection is fine.
        StorageError, StoppedError: a fresh collection is sure to be needed, and its files cannot be staged. (What the
            work brings may call for one as well: more changes than `load.rebuild_fraction`.)
        MilvusError: Milvus cannot be reached, or the embedded one does not work here.
    """
    try:
        with connected(config.milvus, create=False) as client:
            able = ask(client, config)
            require_able(able, config.milvus, dim)
            live = live_collection(client, config)
            fits = live is not None and not misfit(client, config, live, (embed_model, dim), run_ids)
            fresh = not fits or config.load.strategy == "rebuild"
            if fresh and able.imports and config.load.staging_uri is not None:
                require_staging(config.load)
    except MissingFileError:
        _require_embedded(config, dim)  # the load will make it, when all has been paid for


def _require_embedded(config: Config, dim: int) -> None:
    """Whether embedded Milvus works in this process and its file can be made: a file that is made and thrown away.

    Raises:
        StorageError: the folder of `milvus.uri` cannot be written to.
        MilvusError: embedded Milvus does not start, or cannot be reached.
        ConfigError: it cannot have the configured collection.
    """
    folder = Path(config.milvus.uri).expanduser().resolve().parent
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise StorageError(
            f"milvus.uri is {config.milvus.uri!r}, and {there} is not a folder that you may write to.",
            "Choose another.",
        )
    with tempfile.TemporaryDirectory(prefix="tuku-milvus-") as scratch:
        thrown_away = config.milvus.model_copy(update={"uri": f"{scratch}/tuku.db"})
        with connected(thrown_away) as client:
            require_able(ask(client, config), config.milvus, dim)


def live_collection(client: MilvusClient, config: Config) -> str | None:
    """The collection that readers see; None if there is none yet."""
    target = config.milvus.collection
    if config.load.alias:
        alias.require_alias_free(client, target)
        return alias.resolve(client, target)
    alias.require_collection_free(client, target)
    return target if collection.exists(client, target) else None


def misfit(client: MilvusClient, config: Config, live: str, space: tuple[str, int], run_ids: Collection[str]) -> str:
    """Why a collection has to be replaced by a fresh one; empty if it can be filled further.

    Args:
        client: an open client.
        config: `milvus` and `load` are used.
        live: the collection that readers see.
        space: ``provider/model@revision`` of the lake's vectors, and their length.
        run_ids: the lake's. A collection that was filled from another lake is not replaced without being asked to.

    Raises:
        VectorSpaceError, ConfigError: it can neither be filled further nor replaced, unless `load.strategy` says so.
    """
    try:
        require_fit(client, config, live, *space)
    except ConfigError as error:
        loaded = LoadedRuns.read(collection.properties(client, live))
        of_this_lake = loaded is not None and any(run_id in loaded.ids for run_id in run_ids)
        # In place nobody could search meanwhile: that has to be asked for.
        if config.load.strategy != "auto" or not config.load.alias or not of_this_lake:
            raise
        return error.message
    return ""


def require_fit(client: MilvusClient, config: Config, live: str, embed_model: str, dim: int) -> None:
    """Refuses a collection that can neither be filled further nor, with `load.strategy: rebuild`, replaced."""
    if collection.vector_space(client, live) is None:
        _refuse_foreign(config, live)
    if config.load.strategy != "rebuild":
        collection.require_vector_space(client, live, embed_model, dim)
        collection.check_schema(client, live, config.milvus, dim)
        if not config.load.alias or config.load.strategy == "upsert":
            # With auto, behind an alias, another metric is a reason to rebuild; in place it would cut readers off.
            collection.require_metric(client, live, config.milvus.index.metric)
    elif not config.load.alias:
        _require_no_alias(client, live)


def _require_no_alias(client: MilvusClient, live: str) -> None:
    """Refuses to drop, for a rebuild in place, a collection that an alias stands for: that would be gone with it.

    Raises:
        ConfigError: naming the aliases.
    """
    aliases = ", ".join(alias.standing_for(client, live))
    if aliases:
        raise ConfigError(
            f"The collection {live} would be dropped and made anew, and {aliases} stands for it.",
            "Drop that alias, or set load.alias: true and milvus.collection to another name.",
        )


def _refuse_foreign(config: Config, live: str) -> None:
    """Neither is a collection that tuku has not made dropped, nor are its readers led away from it.

    Raises:
        ConfigError: with what to do.
    """
    target = config.milvus.collection
    away = f"drop the alias {target}, if its readers are to see tuku's" if config.load.alias else "drop it yourself"
    raise ConfigError(
        f"The collection {live} was not made by tuku, which will not touch it.",
        f"Set milvus.collection to another name, or {away}.",
    )


def require_no_collapse(client: MilvusClient, config: Config, live: str, rows: int) -> None:
    """A wrong lake.uri, or a disk that is not mounted, must not replace a full collection by an empty one.

    Raises:
        ConfigError: the lake holds far fewer images than readers see, and nobody has asked for that; or none at all,
            for which `load.strategy: rebuild` is not enough: it may be set for every night.
    """
    seen = _rows_to_see(client, config, live)
    least = seen * (1 - config.limits.max_deleted_fraction)
    asked_for = config.load.strategy == "rebuild" and rows > 0
    if rows < least and not asked_for:
        right = "--strategy rebuild" if rows else "--set limits.max_deleted_fraction=1"
        raise ConfigError(
            f"The lake holds {rows:,} images, the collection {live} {seen:,}: more would vanish than"
            f" limits.max_deleted_fraction ({config.limits.max_deleted_fraction:g}) allows.",
            f"Check lake.uri and milvus.collection. If the lake is right: `tuku load {right}`."
            " Readers see what they saw before.",
        )


def _rows_to_see(client: MilvusClient, config: Config, live: str) -> int:
    """Rows of a collection; 0 if it was never filled or indexed, so that nobody can have searched all of it.

    A server that has crashed may have let go of it: then it is loaded again.
    """
    if RUNS not in collection.properties(client, live):
        return 0
    with milvus_errors(f"listing the indexes of collection {live}"):
        if not client.list_indexes(live):
            return 0
    ensure_loaded(client, live, config.milvus)
    return collection.count(client, live)
