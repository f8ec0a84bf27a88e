"""The collections behind an alias: which there are, and going back to an earlier one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from tuku.errors import ConfigError
from tuku.milvus import alias, collection, index, made_as
from tuku.milvus.address import is_local

if TYPE_CHECKING:
    from pymilvus import MilvusClient

    from tuku.config import Config


@dataclass(frozen=True)
class Shelved:
    """A collection that was filled for the alias.

    Attributes:
        name: of the collection.
        run: that filled it first.
        rows: in it, at this moment.
        counted: whether they were counted. Where not, they are a server's estimate of a collection that is not in its
            memory: rows that were replaced or deleted may be among them.
        index: that was asked for: ``type``, ``metric``, ``params``. Empty for a collection that has none yet.
        vector_space: the model whose vectors it holds, and their length.
        before: the collection that readers saw before it, if there was one; it may be gone.
        proven_at: when it was first proven (UTC); None: a load into it has not been finished, or has failed its proof.
        live: whether readers see it.
        loaded: ``Loaded``, ``Loading`` or ``NotLoad``.
    """

    name: str
    run: str
    rows: int
    counted: bool
    index: dict[str, Any]
    vector_space: str
    before: str
    proven_at: datetime | None
    live: bool
    loaded: str


def shelved(client: MilvusClient, config: Config) -> list[Shelved]:
    """All collections of the alias, the newest first; with `load.alias: false` the one of that name.

    The alias may have been pointed at one that was not made for it: that is among them.

    Raises:
        ConfigError: a collection bears the alias's name.
        MilvusError: Milvus did not answer.
    """
    target = config.milvus.collection
    if not config.load.alias:
        return [_look(client, config, target, live=True)] if collection.exists(client, target) else []
    alias.require_alias_free(client, target)
    live = alias.resolve(client, target)
    names = {*alias.behind(client, target), *filter(None, [live])}
    found = [_look(client, config, name, live=name == live) for name in names]
    latest = datetime.max.replace(tzinfo=timezone.utc)  # one that is not proven yet is the newest of all
    return sorted(found, key=lambda each: (each.proven_at or latest, each.name), reverse=True)


def roll_back(
    client: MilvusClient,
    config: Config,
    embed_model: str,
    dim: int,
    to: str | None = None,
    require_lease: Callable[[], None] = lambda: None,
) -> tuple[str, str]:
    """Point the alias at an earlier collection that was proven.

    Args:
        client: an open client.
        config: `milvus` and `load` are used.
        embed_model: ``provider/model@revision`` that readers search with.
        dim: length of its vectors.
        to: the collection; None: the one that readers saw before the live one.
        require_lease: called before readers see anything of it; what it raises ends the rollback.

    Returns:
        The collection that readers saw, and the one that they see now.

    Raises:
        ConfigError: there is no alias or no such collection, it was never proven, or it has other fields or another
            metric than configured.
        VectorSpaceError: it holds vectors of another model.
        MilvusError: Milvus did not answer, or could not load it in time.
    """
    target = config.milvus.collection
    live, chosen = _from_and_to(client, config, to)
    _ready(client, config, chosen, embed_model, dim)
    require_lease()
    alias.point(client, target, chosen)
    return live, chosen


def _from_and_to(client: MilvusClient, config: Config, to: str | None) -> tuple[str, str]:
    """The collection that readers see, and the proven one that they are to see."""
    target = config.milvus.collection
    if not config.load.alias:
        raise ConfigError(
            "load.alias is false: there is one collection, and none to go back to.",
            "Ingest or load what it shall hold, or set load.alias: true.",
        )
    proven = [each for each in shelved(client, config) if each.proven_at is not None]
    live = alias.resolve(client, target)
    if live is None:
        raise ConfigError(f"There is no alias {target}.", "Run `tuku load` first, or check milvus.collection.")
    others = [each for each in proven if each.name != live]
    if to is not None:
        return live, _named(others, target, live, to)
    return live, _before(others, live, collection.properties(client, live))


def _ready(client: MilvusClient, config: Config, name: str, embed_model: str, dim: int) -> None:
    """Load a collection into memory; what tuku would not search, readers shall not be sent to."""
    collection.require_vector_space(client, name, embed_model, dim)
    collection.require_metric(client, name, config.milvus.index.metric)
    collection.check_schema(client, name, config.milvus, dim)
    copies = made_as.replicas(collection.properties(client, name), config.milvus)
    index.load(client, name, config.milvus.timeout_s, replicas=copies)


def _named(others: list[Shelved], target: str, live: str, to: str) -> str:
    """The collection that was asked for, if it is one of the proven others."""
    if to == live:
        raise ConfigError(f"Readers see {to} already.")
    names = [each.name for each in others]
    if to not in names:
        known = ", ".join(names) or "none"
        raise ConfigError(f"{to} is not a proven collection of {target}.", f"Those to go back to: {known}.")
    return to


def _before(others: list[Shelved], live: str, notes: Mapping[str, str]) -> str:
    """Of the proven others that which readers saw before the live one; if it is gone, the newest that is older."""
    since = _time(alias.first_proven_at_ns(notes))  # the live one may have failed its last proof
    earlier = [each.name for each in others if since and each.proven_at and each.proven_at < since]
    # By time alone it could be one that readers were led away from.
    noted = [each.name for each in others if each.name == notes.get(alias.BEFORE)]
    if not noted and not earlier:
        there = ", ".join(each.name for each in others)
        newer = f" Newer ones: {there} (`tuku rollback --to`)." if there else ""
        raise ConfigError(
            f"There is no earlier collection than {live}.", f"load.keep says how many former ones are kept.{newer}"
        )
    return [*noted, *earlier][0]


def _look(client: MilvusClient, config: Config, name: str, *, live: bool) -> Shelved:
    notes = collection.properties(client, name)
    loaded = index.load_state(client, name)
    model, dim = notes.get(collection.EMBED_MODEL, ""), notes.get(collection.DIM, "")
    return Shelved(
        name=name,
        run=notes.get(alias.RUN, ""),
        rows=collection.count(client, name) if loaded == "Loaded" else collection.estimated(client, name),
        counted=loaded == "Loaded" or is_local(config.milvus.uri),  # the embedded one keeps its own count right
        index=index.noted(notes),
        vector_space=f"{model}, {dim}" if model else "",
        before=notes.get(alias.BEFORE, ""),
        proven_at=_time(alias.proven_at_ns(notes)),
        live=live,
        loaded=loaded,
    )


def _time(ns: int | None) -> datetime | None:
    return datetime.fromtimestamp(ns / 1e9, timezone.utc) if ns else None
