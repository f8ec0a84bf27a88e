"""The collections behind an alias: which there are, and going back to an earlier one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from tuku.errors import ConfigError
from tuku.milvus import alias, collection, index

if TYPE_CHECKING:
    from pymilvus import MilvusClient

    from tuku.config import Config


@dataclass(frozen=True)
class Shelved:
    """A collection that was filled for the alias.

    Attributes:
        name: of the collection.
        run: that filled it first.
        rows: in it, at this moment; None where it is not loaded into memory and so cannot be counted.
        index: type and parameters that were asked for.
        vector_space: the model whose vectors it holds.
        proven_at: when it was proven (UTC); None: a load that has not been finished.
        live: whether readers see it.
        loaded: ``Loaded``, ``Loading`` or ``NotLoad``.
    """

    name: str
    run: str
    rows: int | None
    index: str
    vector_space: str
    proven_at: datetime | None
    live: bool
    loaded: str


def shelved(client: MilvusClient, config: Config) -> list[Shelved]:
    """All collections of the alias, the newest first; with `load.alias: false` the one of that name.

    Raises:
        MilvusError: Milvus did not answer.
    """
    target = config.milvus.collection
    if not config.load.alias:
        return [_look(client, target, live=True)] if collection.exists(client, target) else []
    live = alias.resolve(client, target)
    found = [_look(client, name, live=name == live) for name in alias.behind(client, target)]
    oldest = datetime.min.replace(tzinfo=timezone.utc)
    return sorted(found, key=lambda each: (each.proven_at or oldest, each.name), reverse=True)


def roll_back(client: MilvusClient, config: Config, embed_model: str, to: str | None = None) -> tuple[str, str]:
    """Point the alias at an earlier collection that was proven.

    Args:
        client: an open client.
        config: `milvus` and `load` are used.
        embed_model: ``provider/model@revision`` that readers search with.
        to: the collection; None: the one that was proven last before the live one.

    Returns:
        The collection that readers saw, and the one that they see now.

    Raises:
        ConfigError: there is no alias or no such collection, or it was never proven.
        VectorSpaceError: it holds vectors of another model.
        MilvusError: Milvus did not answer, or could not load it in time.
    """
    target = config.milvus.collection
    if not config.load.alias:
        raise ConfigError(
            "load.alias is false: there is one collection, and none to go back to.",
            "Ingest or load what it shall hold, or set load.alias: true.",
        )
    live = alias.resolve(client, target)
    if live is None:
        raise ConfigError(f"There is no alias {target}.", "Run `tuku load` first, or check milvus.collection.")
    chosen = _chosen(shelved(client, config), target, live, to)
    collection.require_vector_space(client, chosen, embed_model)
    index.load(client, chosen, config.milvus.timeout_s, replicas=config.milvus.replicas)
    alias.point(client, target, chosen)
    return live, chosen


def _chosen(there: list[Shelved], target: str, live: str, to: str | None) -> str:
    proven = [each for each in there if each.proven_at is not None]
    others = [each.name for each in proven if each.name != live]
    if to is not None:
        if to == live:
            raise ConfigError(f"Readers see {to} already.")
        if to not in others:
            known = ", ".join(others) or "none"
            raise ConfigError(f"{to} is not a proven collection of {target}.", f"Those to go back to: {known}.")
        return to
    since = next((each.proven_at for each in proven if each.name == live), None)
    earlier = [
        each.name
        for each in proven
        if each.name != live and since is not None and each.proven_at is not None and each.proven_at < since
    ]
    if not earlier:
        newer = f" Newer ones: {', '.join(others)} (`tuku rollback --to`)." if others else ""
        raise ConfigError(
            f"There is no earlier collection than {live}.", f"load.keep says how many former ones are kept.{newer}"
        )
    return earlier[0]


def _look(client: MilvusClient, name: str, *, live: bool) -> Shelved:
    notes = collection.properties(client, name)
    proven_at = notes.get(alias.PROVEN_AT)
    loaded = index.load_state(client, name)
    return Shelved(
        name=name,
        run=notes.get(alias.RUN, ""),
        rows=collection.count(client, name) if loaded == "Loaded" else None,
        index=notes.get(index.INDEX, ""),
        vector_space=notes.get(collection.EMBED_MODEL, ""),
        proven_at=datetime.fromtimestamp(int(proven_at) / 1e9, timezone.utc) if proven_at else None,
        live=live,
        loaded=loaded,
    )
